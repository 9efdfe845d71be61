"""Ctrl-C once stops gently, twice at once; the handlers go back where they were."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from openhcs.cli.interrupt import FIRST, SECOND, Interrupt


def test_the_first_press_sets_stop_and_the_second_raises() -> None:
    told: list[str] = []
    with Interrupt(told.append) as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.stop.wait(5)
        assert told == [FIRST]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert told == [FIRST, SECOND]


def test_a_schedulers_term_signal_counts_as_a_press() -> None:
    with Interrupt(lambda _: None) as interrupt:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.stop.wait(5)


def test_the_handlers_go_back_where_they_were() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interrupt(print):
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_thread_other_than_the_main_one_installs_nothing() -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with Interrupt(print):
                pass
        except ValueError as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failed == []

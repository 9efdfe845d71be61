"""The memory backend: whose memory it is, and what happens over the budget."""

from __future__ import annotations

import errno
import gc
import os
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest

from openhcs.errors import AccessDenied, FormatError, InvalidType, InvalidValue, NotFound, OutOfBudget, StorageFull
from openhcs.io.fsops import FileOps
from openhcs.io.limits import default_budget
from openhcs.io.memory import MemoryBackend, MemoryUsage

PLANE = np.arange(1000, dtype="uint8")


def address(array):
    return array.__array_interface__["data"][0]


def plane(number):
    return (PLANE + number).astype("uint8")


@pytest.fixture
def small(tmp_path):
    """Return a backend with room for three planes and a bit."""
    return MemoryBackend(3200, tmp_path / "spill")


def spilled(tmp_path):
    return sorted(one for one in (tmp_path / "spill").glob("*/*") if one.name != "owner")


def test_the_budget_is_that_of_the_machine_unless_said():
    assert MemoryBackend().budget == default_budget()
    with pytest.raises(InvalidValue):
        MemoryBackend(0)


@pytest.mark.parametrize("make", [lambda: PLANE.copy()[::1], lambda: memoryview(bytearray(9)), lambda: PLANE[:4]])
def test_an_array_that_does_not_own_its_data_is_copied_though_handed_over(make):
    backend = MemoryBackend(10**6)
    array = np.asarray(make())
    backend.save(array, "a", hand_over=True)
    assert address(backend.load("a")) != address(array)
    assert array.flags.writeable == np.asarray(make()).flags.writeable


def test_an_array_handed_over_is_read_only_until_it_is_taken():
    backend = MemoryBackend(10**6)
    array = PLANE.copy()
    backend.save(array, "a", hand_over=True)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    taken = backend.take("a")
    assert taken is array
    taken[0] = 9
    assert not backend.exists("a")
    assert backend.usage().bytes == backend.usage().items == 0


def test_a_save_that_fails_gives_the_array_back_writable():
    backend = MemoryBackend(500)
    array = PLANE.copy()
    with pytest.raises(OutOfBudget):
        backend.save(array, "a", hand_over=True)
    array[0] = 1


def test_the_same_array_handed_over_twice_is_two_values():
    backend = MemoryBackend(10**6)
    array = PLANE.copy()
    backend.save(array, "a", hand_over=True)
    backend.save(array, "b", hand_over=True)
    backend.take("a")[...] = 0
    np.testing.assert_array_equal(backend.load("b"), PLANE)


def test_who_takes_what_another_loaded_gets_a_copy():
    backend = MemoryBackend(10**6)
    backend.save(PLANE, "a")
    loaded = backend.load("a")
    backend.take("a")[...] = 0
    np.testing.assert_array_equal(loaded, PLANE)


def test_what_was_loaded_stays_when_its_path_is_replaced_deleted_or_spilled(small):
    small.save(PLANE, "a")
    loaded = small.load("a")
    small.save(plane(1), "a", overwrite=True)
    for number in range(4):
        small.save(plane(number), f"more/{number}")
    small.delete("a")
    np.testing.assert_array_equal(loaded, PLANE)


def test_over_the_budget_the_least_recently_used_array_spills_and_comes_back(small, tmp_path):
    for number in range(3):
        small.save(plane(number), f"d/{number}")
    small.load("d/0")
    small.save(plane(3), "d/3")
    assert small.usage().spilled == 1000
    (file,) = spilled(tmp_path)
    np.testing.assert_array_equal(np.fromfile(file, "uint8"), plane(1))
    for number in range(4):
        found = small.load(f"d/{number}")
        np.testing.assert_array_equal(found, plane(number))
        assert not found.flags.writeable
    assert small.usage().bytes == 4000
    assert small.usage().items == 4
    assert small.usage().spilled == 1000


@pytest.mark.parametrize("dtype", ["bool", ">u2", "complex64", "M8[s]", "U3", [("x", "u2"), ("y", "f4")]])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_spills_comes_back_the_same(tmp_path, dtype, order):
    backend = MemoryBackend(500, tmp_path / "spill")
    array = np.zeros((3, 4), dtype, order=order)
    array[1, 2] = np.ones(1, dtype)[0] if array.dtype.kind != "U" else "µx"
    backend.save(array, "a")
    backend.save(np.zeros(490, "uint8"), "b")
    assert len(spilled(tmp_path)) == 1
    assert backend.load("a").dtype == array.dtype
    np.testing.assert_array_equal(backend.load("a"), array)


def test_what_spilled_can_be_taken_and_is_writable(small, tmp_path):
    for number in range(5):
        small.save(plane(number), f"d/{number}")
    assert len(spilled(tmp_path)) == 2
    taken = small.take("d/0")
    taken[...] = 0
    small.delete("d/1")
    assert spilled(tmp_path) == []
    assert small.usage().spilled == 0


def test_an_array_that_came_back_spills_again_without_being_written(tmp_path):
    class Counting(FileOps):
        written = 0

        def write_new(self, path, data):
            self.written += not str(path).endswith("owner")
            return super().write_new(path, data)

    ops = Counting(durable=False)
    backend = MemoryBackend(1500, tmp_path, ops=ops)
    backend.save(plane(0), "a")
    backend.save(plane(1), "b")
    for _ in range(5):
        np.testing.assert_array_equal(backend.load("a"), plane(0))
        np.testing.assert_array_equal(backend.load("b"), plane(1))
    assert ops.written == 2


def test_what_cannot_fit_says_the_numbers(small):
    small.save(b"x" * 2000, "object")
    small.save(PLANE, "a")
    with pytest.raises(OutOfBudget, match=r"needs 2000 bytes.*may hold 3200, of which 20\d\d.*memory_budget") as raised:
        small.save(np.zeros(2000, "uint8"), "b")
    assert isinstance(raised.value, MemoryError)
    assert not small.exists("b")
    small.save(np.zeros(3000, "uint8"), "object", overwrite=True)
    np.testing.assert_array_equal(small.load("a"), PLANE)


def test_replacing_needs_room_for_the_new_value_only(tmp_path):
    backend = MemoryBackend(2500, tmp_path / "spill")
    backend.save(plane(9), "beside")
    for number in range(9):
        backend.save(plane(number), "a", overwrite=True)
        backend.save([number], "object", overwrite=True)
    assert not (tmp_path / "spill").exists()
    np.testing.assert_array_equal(backend.load("a"), plane(8))


def test_replacing_a_spilled_value_removes_its_file(small, tmp_path):
    for number in range(4):
        small.save(plane(number), f"d/{number}")
    small.save(PLANE[:10], "d/0", overwrite=True)
    assert spilled(tmp_path) == []
    assert small.usage() == MemoryUsage(bytes=3010, items=4, spilled=0)


def test_a_full_disk_under_the_spill_leaves_every_value(tmp_path):
    class Full(FileOps):
        full = True

        def write_some(self, path, handle, view):
            if self.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write_some(path, handle, view)

    ops = Full(durable=False)
    backend = MemoryBackend(1500, tmp_path, ops=ops)
    backend.save(plane(0), "a")
    with pytest.raises(OutOfBudget, match=r"1000 more bytes .* holds 1000 of 1500 bytes") as raised:
        backend.save(plane(1), "b")
    assert isinstance(raised.value.__cause__, StorageFull)
    np.testing.assert_array_equal(backend.load("a"), plane(0))
    assert not backend.exists("b")
    assert backend.usage().items == 1
    ops.full = False
    backend.save(plane(1), "b")
    ops.full = True
    np.testing.assert_array_equal(backend.load("a"), plane(0))
    np.testing.assert_array_equal(backend.load("b"), plane(1))


def test_a_spilled_file_cut_by_others_is_told(small, tmp_path):
    for number in range(4):
        small.save(plane(number), f"d/{number}")
    (file,) = spilled(tmp_path)
    os.truncate(file, 10)
    with pytest.raises(FormatError, match="10 of 1000"):
        small.load("d/0")
    file.unlink()
    with pytest.raises(NotFound, match="bring back"):
        small.load("d/0")


def test_the_spill_folder_is_private_and_goes_with_its_owner(tmp_path):
    backend = MemoryBackend(1500, tmp_path)
    for number in range(3):
        backend.save(plane(number), f"d/{number}")
    (folder,) = tmp_path.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    backend.close()
    assert list(tmp_path.iterdir()) == []
    for number in range(3):
        backend.save(plane(number), f"d/{number}")
    assert len(list(tmp_path.iterdir())) == 1
    del backend
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_forked_child_leaves_its_parents_spill_alone(small, tmp_path):
    for number in range(4):
        small.save(plane(number), f"d/{number}")
    before = spilled(tmp_path)
    child = os.fork()
    if child == 0:
        small.delete("d", recursive=True)
        small.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert spilled(tmp_path) == before
    np.testing.assert_array_equal(small.load("d/0"), plane(0))


SPILLS = """
import sys, time
import numpy as np
from openhcs.io.memory import MemoryBackend
backend = MemoryBackend(1500, sys.argv[1])
for number in range(3):
    backend.save(np.ones(1000, "u1"), f"d/{number}")
print("spilled", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_spilled_is_removed_and_what_a_living_one_did_is_not(tmp_path):
    def spiller():
        process = subprocess.Popen([sys.executable, "-c", SPILLS, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"spilled\n"
        return process

    with spiller() as killed:
        (lost,) = tmp_path.iterdir()
        killed.kill()
    with spiller() as living:
        assert lost not in tmp_path.iterdir()
        (kept,) = tmp_path.iterdir()
        (tmp_path / "openhcs-spill-strange").mkdir()
        (tmp_path / "openhcs-spill-link").symlink_to(tmp_path)
        backend = MemoryBackend(1500, tmp_path)
        for number in range(3):
            backend.save(plane(number), f"d/{number}")
        assert len(list(kept.iterdir())) == 3
        assert len(list(tmp_path.iterdir())) == 4
        living.kill()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_spill_folder_that_cannot_be_written_is_told(tmp_path):
    tmp_path.chmod(0o500)
    backend = MemoryBackend(1500, tmp_path / "spill")
    backend.save(plane(0), "a")
    with pytest.raises(AccessDenied):
        backend.save(plane(1), "b")


def test_threads_that_store_load_and_take_over_the_budget_lose_nothing(tmp_path):
    backend = MemoryBackend(20_000, tmp_path / "spill")
    wrong = []

    def check(found, number):
        if not np.array_equal(found, plane(number)):
            wrong.append(number)

    def work(thread):
        for number in range(60):
            backend.save(plane(thread + number), f"{thread}/{number}", hand_over=number % 2 == 0)
            for back in (number, number // 2):
                if back % 3 != 0:
                    check(backend.load(f"{thread}/{back}"), thread + back)
            if number % 3 == 0:
                check(backend.take(f"{thread}/{number}"), thread + number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    usage = backend.usage()
    assert (usage.items, usage.bytes) == (160, 160_000)
    assert usage.bytes - usage.spilled <= 20_000


def test_objects_without_a_size_and_arrays_of_objects_stay(tmp_path):
    class Odd:
        def __sizeof__(self):
            raise TypeError("none of your business")

    backend = MemoryBackend(1500, tmp_path / "spill")
    kept = Odd()
    backend.save(kept, "odd")
    backend.save(np.array([{"a": 1}, None]), "objects")
    for number in range(3):
        backend.save(plane(number), f"d/{number}")
    assert backend.load("odd") is kept
    assert backend.load("objects")[0] == {"a": 1}
    assert backend.take("odd") is kept
    backend.save("text", "t")
    with pytest.raises(InvalidType, match="no array"):
        backend.open_array("t")


def test_an_opened_array_stays_what_it_was_and_is_not_written():
    backend = MemoryBackend(10**6)
    backend.save(PLANE, "a")
    handle = backend.open_array("a")
    backend.take("a")[...] = 0
    np.testing.assert_array_equal(handle.read((slice(0, 9),)), PLANE[:9])
    with pytest.raises(InvalidType):
        handle.write((), PLANE)


def test_absolute_paths_are_places_of_their_own():
    backend = MemoryBackend(10**6)
    backend.save(1, "/plate/a")
    backend.save(2, "plate/a")
    assert list(backend.list("//plate/")) == ["/plate/a"]
    assert list(backend.list("/", recursive=True)) == ["/plate", "/plate/a"]
    assert list(backend.list("")) == ["plate"]
    backend.delete("/", recursive=True)
    assert backend.load("plate/a") == 2
    assert list(backend.list("/")) == []

"""What every section of the benchmark shares: ways that run in turn, ratios, rows, and files that are not deleted.

A figure is a ratio of two ways that ran one after the other in the same round; the median of the rounds counts, and
each way ran once before. Making files soon after deleting many costs some file systems several times the work, so
outputs are emptied and moved away, and removed when the program ends.
"""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import statistics
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from machine import Watch
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROUNDS = 5


def processor_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


@dataclass(slots=True)
class Turns:
    """Seconds of each way, round by round: (wall, processor)."""

    runs: dict[str, list[tuple[float, float]]]

    def wall(self, way: str) -> float:
        """Return the median of a way's wall time."""
        return statistics.median(run[0] for run in self.runs[way])

    def cpu(self, way: str) -> float:
        """Return the median of a way's processor time."""
        return statistics.median(run[1] for run in self.runs[way])

    def ratio(self, way: str, other: str, *, cpu: bool = False) -> float:
        """Return the median over the rounds of one way's time by the other's."""
        pairs = zip(self.runs[way], self.runs[other], strict=True)
        return statistics.median(one[cpu] / two[cpu] for one, two in pairs)


@dataclass(slots=True, kw_only=True)
class Row:
    """One figure of the table; ``met`` is None where there is no target."""

    section: str
    name: str
    value: float
    unit: str
    target: str = ""
    met: bool | None = None
    note: str = ""
    seconds: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


class Bench:
    """A scratch folder, plates in it, and the rows that were found."""

    def __init__(self, folder: Path, *, quick: bool, rounds: int = ROUNDS) -> None:
        self.folder = folder
        self.quick = quick
        self.rounds = rounds
        self.rows: list[Row] = []
        self.machine: dict[str, dict[str, float]] = {}
        self._section = ""
        self._numbers = itertools.count()
        self._plates: dict[str, Path] = {}
        (folder / "trash").mkdir(parents=True)
        (folder / "out").mkdir()

    def section(self, name: str, run: Callable[[Bench], None]) -> None:
        """Run a section and note what else the machine did meanwhile."""
        self._section = name
        print(f"\n{name}", flush=True)
        watch = Watch()
        run(self)
        self.machine[name] = told = watch.stop()
        print(f"  ({told['seconds']:.0f} s; other programs used {told['others']:.2f} cores meanwhile)", flush=True)
        self.tidy()

    def plate(self, **how: Any) -> Path:
        """Return a made-up plate, made at the first call that asks for it."""
        key = repr(sorted(how.items()))
        if key not in self._plates:
            self._plates[key] = make_plate(self.folder / f"plate{len(self._plates)}", name="P", **how)
        return self._plates[key]

    def out(self, suffix: str = "") -> Path:
        """Return a free path for an output; what earlier ones hold is emptied."""
        self.tidy()
        return self.folder / "out" / f"{next(self._numbers)}{suffix}"

    def tidy(self) -> None:
        """Empty the outputs and move them away."""
        for path in (self.folder / "out").iterdir():
            for folder, _, names in os.walk(path):
                for name in names:
                    os.truncate(os.path.join(folder, name), 0)
            path.rename(self.folder / "trash" / f"{next(self._numbers)}")

    def forget(self, plate: Path) -> None:
        """Remove a plate that is not needed any more."""
        self._plates = {key: path for key, path in self._plates.items() if path != plate}
        shutil.rmtree(plate)

    def turns(
        self, *, rounds: int | None = None, warm: bool = True, keep: bool = False, **ways: Callable[[], Any]
    ) -> Turns:
        """Run ways in turn; one that returns a dict with ``wall_s`` and ``cpu_s`` has measured itself.

        ``warm`` runs each once before; ``keep`` leaves the outputs of others alone.
        """
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        count = rounds or (3 if self.quick else self.rounds)
        for number in range(count + warm):
            for name, way in ways.items():
                if not keep:
                    self.tidy()
                wall, cpu = time.perf_counter(), processor_seconds()
                told = way()
                spent = time.perf_counter() - wall, processor_seconds() - cpu
                if isinstance(told, dict) and "wall_s" in told:
                    spent = told["wall_s"], told["cpu_s"]
                if number or not warm:
                    runs[name].append(spent)
        return Turns(runs)

    def row(
        self,
        name: str,
        value: float,
        unit: str = "×",
        *,
        most: float | None = None,
        least: float | None = None,
        note: str = "",
        turns: Turns | None = None,
    ) -> None:
        """Note a figure; ``most`` or ``least``, or both, are its target."""
        target, met = "", None
        if most is not None and least is not None:
            target, met = f"{least:g}–{most:g}", least <= value <= most
        elif most is not None:
            target, met = f"≤ {most:g}", value <= most
        elif least is not None:
            target, met = f"≥ {least:g}", value >= least
        seconds = {} if turns is None else turns.runs
        found = Row(
            section=self._section, name=name, value=value, unit=unit, target=target, met=met, note=note, seconds=seconds
        )
        self.rows.append(found)
        said = {None: "", True: "met", False: "NOT MET"}[met]
        print(f"  {name:<62} {number(value):>8} {unit:<5} {target:<8} {said:<8} {note}".rstrip(), flush=True)

    def to_json(self) -> dict[str, Any]:
        """Return all rows and what the machine did while each section ran."""
        return {"rows": [asdict(row) for row in self.rows], "sections": self.machine}


def number(value: float) -> str:
    """Return a figure with three digits that count."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def size_of(folder: Path, pattern: str = "*") -> int:
    """Return the bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())

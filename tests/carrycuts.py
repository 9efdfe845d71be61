"""Plates carried to another version, and packed into one file, while the power may fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhcs import GlobalPipelineConfig, ZarrConfig, convert
from powercuts import UNSYNCED, Convert

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openhcs.io.fsops import FileOps
    from openhcs.run.result import RunResult
    from openhcs.testing.powercut import State
    from powercuts import Work


class Carry(Convert):
    """A plate of another version is carried over."""

    name = "carry to 0.6"
    before, after = "0.5", "0.6"

    def __init__(self) -> None:
        super().__init__(GlobalPipelineConfig(num_workers=1, zarr=ZarrConfig(ngff_version=self.after)))
        older = GlobalPipelineConfig(num_workers=1, zarr=ZarrConfig(ngff_version=self.before))
        assert convert(self._inputs / "plate", self._inputs / "p.zarr", config=older).ok

    def run(self, top: Path, ops: FileOps) -> RunResult:
        return convert(self._inputs / "p.zarr", top / self.output, config=self.config, ops=ops)


class Carry04(Carry):
    """A Zarr v2 plate becomes one of Zarr v3."""

    name = "carry from 0.4"
    before, after = "0.4", "0.5"


class Pack(Carry):
    """A plate becomes one file, in place of an older one or of none."""

    after = "0.5"

    def __init__(self, *, fresh: bool) -> None:
        super().__init__()
        self.name = f"pack{' for the first time' if fresh else ''}"
        self._older = b"" if fresh else b"an older file"
        assert convert(self._inputs / "p.zarr", self._inputs / "wanted.ozx", config=self.config).ok
        self._wanted = (self._inputs / "wanted.ozx").read_bytes()

    def lay_out(self, top: Path) -> None:
        if self._older:
            (top / "p.ozx").write_bytes(self._older)

    def run(self, top: Path, ops: FileOps) -> RunResult:
        return convert(self._inputs / "p.zarr", top / "p.ozx", config=self.config, exist="replace", ops=ops)

    def learn(self, top: Path) -> None:
        assert (top / "p.ozx").read_bytes() == self._wanted

    def look(self, top: Path, state: State) -> list[str]:
        there = state.tree.get("p.ozx", b"")
        return [] if there in (self._older, self._wanted) else [f"the file has {len(there)} bytes of neither"]

    def go_on(self, top: Path) -> list[str]:
        self.act(top, UNSYNCED)
        wrong = [] if (top / "p.ozx").read_bytes() == self._wanted else ["packing again makes another file"]
        return wrong + [f"left over: {path.name}" for path in top.iterdir() if path.name != "p.ozx"]


WORKS: dict[str, Callable[[], list[Work]]] = {
    "carry": lambda: [Carry(), Carry04()],
    "pack": lambda: [Pack(fresh=True), Pack(fresh=False)],
}

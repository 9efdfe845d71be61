"""A damaged plate is repaired while the power may fail."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from openhcs import GlobalPipelineConfig, ZarrConfig, convert
from openhcs.repair import repair
from openhcs.testing.synthetic import make_plate
from powercuts import UNSYNCED, Work, contents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openhcs.io.fsops import FileOps
    from openhcs.testing.powercut import State

DOCUMENTS = ("zarr.json", ".zattrs", ".zgroup", ".zarray")


class Repair(Work):
    """Documents of all kinds are gone or damaged, with the plate's ledger or without."""

    def __init__(self, version: str, *, ledger: bool) -> None:
        self.name = f"repair {version}{'' if ledger else ' without ledger'}"
        self._version, self._ledger = version, ledger
        self._wanted: dict[str, bytes] = {}

    def lay_out(self, top: Path) -> None:
        source = top.with_name(f"source-{top.name}")
        make_plate(source, name="P", wells=["A01", "B02"], sites=2, channels=("DAPI",), size=(16, 16))
        config = GlobalPipelineConfig(num_workers=1, durability="fast", zarr=ZarrConfig(ngff_version=self._version))
        store = top / "p.zarr"
        assert convert(source, store, config=config).ok
        shutil.rmtree(source)
        if not self._ledger:
            shutil.rmtree(top / ".p.zarr.openhcs")
        group = ".zattrs" if self._version == "0.4" else "zarr.json"
        for path in ("A/01", "B/02/1"):
            (store / path / group).unlink()
        for path in ("", "A/01/0"):
            (store / path / group).write_text('{"cut')

    def act(self, top: Path, ops: FileOps) -> None:
        repair(top / "p.zarr", apply=True, ops=ops)

    def learn(self, top: Path) -> None:
        self._wanted = {path: data for path, data in contents(top / "p.zarr").items() if not _litter(path)}
        assert all(json.loads(data) is not None for path, data in self._wanted.items() if path.endswith(DOCUMENTS))

    def look(self, top: Path, state: State) -> list[str]:
        there = {path.removeprefix("p.zarr/"): data for path, data in state.tree.items() if path.startswith("p.zarr/")}
        chunks = {path for path in self._wanted if not path.endswith(DOCUMENTS)}
        lost = [path for path in chunks if there.get(path) != self._wanted[path]]
        names = [path for path, data in there.items() if path.endswith(DOCUMENTS) and not data]
        return [f"{path} was touched" for path in lost] + [f"{path} is empty" for path in names]

    def go_on(self, top: Path) -> list[str]:
        self.act(top, UNSYNCED)
        now = {path: data for path, data in contents(top / "p.zarr").items() if not _litter(path)}
        differ = [path for path in self._wanted.keys() | now.keys() if now.get(path) != self._wanted.get(path)]
        return [f"{path} is not what an undisturbed repair makes" for path in sorted(differ)]


def _litter(path: str) -> bool:
    return ".openhcs-tmp-" in path


WORKS: dict[str, Callable[[], list[Work]]] = {
    "repair": lambda: [Repair(version, ledger=ledger) for version in ("0.4", "0.5") for ledger in (True, False)],
}

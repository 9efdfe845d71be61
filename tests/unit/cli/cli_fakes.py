"""Stand-ins for the run, so that the command line's own duty can be tested alone."""

from __future__ import annotations

import sys
import types

from openhcs.core.plate import Channel, FileSource, Plane, PlaneState, PlateIndex, Unmatched, sorted_planes
from openhcs.run.result import RunResult


def plate(name: str = "P1", *, missing: bool = False) -> PlateIndex:
    planes = [
        Plane(well=well, site=site, channel=channel, source=FileSource(f"{well}_s{site}_w{channel}.tif"))
        for well in ("A01", "A02", "B03")
        for site in (1, 2)
        for channel in (1, 2)
    ]
    if missing:
        planes[-1] = Plane(well="B03", site=2, channel=2, state=PlaneState.MISSING)
    return PlateIndex(
        name=name,
        root="/plates/P1",
        microscope="imagexpress",
        rows=tuple("ABCDEFGH"),
        columns=tuple(f"{column:02d}" for column in range(1, 13)),
        planes=sorted_planes(planes),
        channels=(Channel(number=1, name="DAPI", excitation_nm=405.0), Channel(number=2, name="FITC")),
        pixel_size_um=(0.65, 0.65),
        dtype="uint16",
        plane_shape=(100, 200),
        unmatched=(Unmatched(path="notes.txt", reason="no image"),),
        why="an HTD file",
    )


def install(monkeypatch, name: str, **members: object) -> None:
    """Put a module of these members in place of a real one."""
    module = types.ModuleType(name)
    for key, value in members.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)


def result(**changes: object) -> RunResult:
    facts = {"output": "out", "plan_id": "3f9c", "done": ("A01", "A02"), "bytes_in": 2_000_000, "bytes_out": 900_000}
    return RunResult(**{**facts, "seconds": 2.0, **changes})

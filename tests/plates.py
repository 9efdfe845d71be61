"""Plate indexes made up in memory, for tests that read no pixels."""

from __future__ import annotations

from openhcs.core.plate import Channel, FileSource, Plane, PlaneState, PlateIndex
from openhcs.core.wells import plate_shape, row_name, well_name


def make_index(
    wells: int = 2,
    sites: int = 2,
    channels: int = 2,
    z: int = 1,
    t: int = 1,
    *,
    absent: dict[tuple[str, int, int, int, int], PlaneState] | None = None,
    gaps: frozenset[tuple[str, int, int, int, int]] = frozenset(),
    shape: tuple[int, int] = (64, 48),
    dtype: str = "uint16",
) -> PlateIndex:
    """Return an index; ``absent`` and ``gaps`` are keyed (well, site, channel, z, t)."""
    names = [well_name(number // 12, number % 12) for number in range(wells)]
    planes = []
    for well in names:
        for s in range(1, sites + 1):
            for time in range(1, t + 1):
                for c in range(1, channels + 1):
                    for k in range(1, z + 1):
                        place = (well, s, c, k, time)
                        if place in gaps:
                            continue
                        state = (absent or {}).get(place, PlaneState.PRESENT)
                        source = FileSource(f"{well}_s{s}_w{c}_z{k}_t{time}.tif", size=9, mtime_ns=1)
                        planes.append(Plane(well=well, site=s, channel=c, z=k, t=time, source=source, state=state))
    rows, columns = plate_shape(names)
    return PlateIndex(
        name="P1",
        root="/plates/P1",
        microscope="imagexpress",
        rows=tuple(row_name(row) for row in range(rows)),
        columns=tuple(f"{column + 1:02d}" for column in range(columns)),
        planes=tuple(planes),
        channels=tuple(
            Channel(number=number, name=name) for number, name in enumerate(("DAPI", "FITC", "Cy5")[:channels], start=1)
        ),
        dtype=dtype,
        plane_shape=shape,
    )

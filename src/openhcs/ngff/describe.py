"""From facts and commit records to the models of an output's documents."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from openhcs.core.arrays import level_shapes
from openhcs.core.wells import parse_well
from openhcs.ngff.colors import channel_color, label_color
from openhcs.ngff.model import (
    Axis,
    ChannelView,
    ImageLabel,
    ImageModel,
    LabelColor,
    LabelsModel,
    Level,
    PlateAcquisition,
    PlateModel,
    PlateWell,
    WellImage,
    WellModel,
)
from openhcs.ngff.naming import well_path
from openhcs.ngff.windows import window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openhcs.ngff.facts import Axes, PlateFacts
    from openhcs.ngff.windows import Window

    Row = Mapping[str, Any]
    """One site image as a commit record tells of it."""

T = TypeVar("T")
LEVELS_MADE = {
    "description": "each level is the mean of 2 x 2 pixels of the level before; whole numbers are rounded half up",
    "method": "openhcs.io.pyramid.downsample",
}
LABEL_LEVELS_MADE = {
    "description": "each pixel has the value that most of 2 x 2 pixels of the level before have; of equally many, the "
    "smallest other than 0",
    "method": "openhcs.io.pyramid.downsample_labels",
}
LABELS = "labels"
MEASURES = ("z_um", "time_s")
"""What an image's row may tell of each plane, in the order t, c, z; null where nobody told."""
MICROMETER = "micrometer"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """The images that an output keeps from one step.

    ``path`` is relative to the output; ``same_pixels`` says that planes are as large as the plate's,
    so that its pixel size and positions hold.
    """

    path: str
    backend: str
    axes: Mapping[int, Axes]
    dtype: str
    plane_shape: tuple[int, int]
    levels: int
    same_pixels: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the facts as a JSON object."""
        return asdict(self) | {
            "axes": {str(number): [list(labels) for labels in axes] for number, axes in self.axes.items()},
            "plane_shape": list(self.plane_shape),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> TargetFacts:
        """Return the facts that `to_json` wrote; raises what reading a wrong JSON object raises."""
        axes = {int(number): tuple(tuple(map(int, one)) for one in axes) for number, axes in told["axes"].items()}
        y, x = told["plane_shape"]
        return cls(**{**told, "axes": axes, "plane_shape": (int(y), int(x))})


def plate_model(facts: PlateFacts, target: TargetFacts, rows: Sequence[Row]) -> PlateModel:
    """Return the plate of those wells that have images among ``rows``."""
    wells = sorted({str(row["well"]) for row in rows}, key=parse_well)
    facts = facts.including(wells)
    places = [parse_well(well) for well in wells]
    counts = Counter((row["well"], row["acquisition"]) for row in rows)
    most = {
        number: max((count for (_, one), count in counts.items() if one == number), default=0) for number in target.axes
    }
    return PlateModel(
        name=facts.name,
        rows=facts.rows,
        columns=facts.columns,
        wells=tuple(
            PlateWell(path=well_path(facts.rows[row], facts.columns[column]), row=row, column=column)
            for row, column in places
        ),
        acquisitions=tuple(_acquisition(facts, number, count) for number, count in sorted(most.items()) if count),
        field_count=max(most.values(), default=1),
        own=facts.own(),
    )


def _acquisition(facts: PlateFacts, number: int, count: int) -> PlateAcquisition:
    known = facts.acquisition(number)
    start = epoch_seconds(known.start_time)
    return PlateAcquisition(id=number, name=known.name, maximumfieldcount=count, starttime=start)


def epoch_seconds(time: str | None) -> int | None:
    """Return an ISO time as seconds since 1970; None where its zone is not told, or it is none."""
    try:
        parsed = datetime.fromisoformat(time) if time else None
    except ValueError:
        return None
    return int(parsed.timestamp()) if parsed and parsed.tzinfo and parsed.timestamp() >= 0 else None


def well_model(rows: Sequence[Row]) -> WellModel:
    """Return the well whose images are ``rows``."""
    well = str(rows[0]["well"])
    return WellModel(
        images=tuple(WellImage(path=_leaf(row), acquisition=int(row["acquisition"])) for row in rows),
        own={"well": well, "sites": [int(row["site"]) for row in rows]},
    )


def _leaf(row: Row) -> str:
    return str(row["path"]).rpartition("/")[2]


def image_model(facts: PlateFacts, target: TargetFacts, row: Row, windows: Mapping[str, Window]) -> ImageModel:
    """Return a site image; ``windows`` are by channel number as text, else the whole range is shown."""
    acquisition = int(row["acquisition"])
    _, ts, channels, zs = target.axes[acquisition]
    pixel = facts.pixel_size_um if target.same_pixels else None
    z_step = None if facts.acquisition(acquisition).projection else even_step(facts.z_step_um, zs)
    levels = _levels(facts, target, row, pixel, z_step)
    views = tuple(
        ChannelView(
            label=facts.channel(number).name,
            color=channel_color(facts.channel(number), place),
            window=windows.get(str(number)) or window(None, target.dtype),
            active=True,
            extra={"coefficient": 1, "family": "linear", "inverted": False},
        )
        for place, number in enumerate(channels)
    )
    own = {
        "well": row["well"],
        "site": row["site"],
        "acquisition": acquisition,
        "t": list(ts),
        "channels": list(channels),
        "z": list(zs),
        "pixel_size_um": pixel and list(pixel),
        "z_step_um": z_step,
        "gaps": list(row["gaps"]),
        **{name: list(row[name]) for name in MEASURES if name in row},
    }
    return ImageModel(
        name=f"{row['well']} site {row['site']}",
        axes=_axes(len(row["shape"]), pixel, z_step),
        levels=levels,
        type="mean" if len(levels) > 1 else None,
        metadata=LEVELS_MADE if len(levels) > 1 else None,
        channels=views,
        omero={"rdefs": {"defaultT": 0, "defaultZ": len(zs) // 2, "model": "color"}},
        own=own,
    )


def labels_model(row: Row) -> LabelsModel:
    """Return the list of an image's label images (0.5 §labels)."""
    return LabelsModel(names=tuple(str(label["name"]) for label in row["labels"]))


def label_model(facts: PlateFacts, target: TargetFacts, row: Row, label: Mapping[str, Any]) -> ImageModel:
    """Return a label image of a site image: the same axes but c, the same levels.

    ``label`` is what the record tells of it under ``labels`` of the image's row.
    """
    image = image_model(facts, target, row, {})
    place = image.axis_names.index("c")
    levels = tuple(
        Level(path=one.path, scale=_without(one.scale, place), translation=_without(one.translation, place))
        for one in image.levels
    )
    own = {"well": row["well"], "site": row["site"], "acquisition": row["acquisition"]}
    own |= {name: label[name] for name in ("step", "channel", "objects")}
    pairs = list(zip(label["ids"], label["areas"], strict=True))
    return ImageModel(
        name=str(label["name"]),
        axes=_without(image.axes, place),
        levels=levels,
        type="mode" if len(levels) > 1 else None,
        metadata=LABEL_LEVELS_MADE if len(levels) > 1 else None,
        label=ImageLabel(
            colors=tuple(LabelColor(value=value, rgba=label_color(value)) for value, _ in pairs),
            properties=tuple({"label-value": value, "area": area} for value, area in pairs),
            source={"image": "../../"},
        ),
        own=own,
    )


def _without(values: tuple[T, ...] | None, place: int) -> tuple[T, ...]:
    assert values is not None
    return values[:place] + values[place + 1 :]


def even_step(z_step_um: float | None, zs: Sequence[int]) -> float | None:
    """Return the distance between neighbouring planes in µm, None where it is unknown or varies."""
    steps = {after - before for before, after in pairwise(zs)}
    if z_step_um is None or len(steps) > 1:
        return None
    return z_step_um * (steps.pop() if steps else 1)


def _axes(count: int, pixel: tuple[float, float] | None, z_step: float | None) -> tuple[Axis, ...]:
    unit = MICROMETER if pixel else None
    axes = (
        Axis(name="t", type="time"),
        Axis(name="c", type="channel"),
        Axis(name="z", type="space", unit=MICROMETER if z_step else None),
        Axis(name="y", type="space", unit=unit),
        Axis(name="x", type="space", unit=unit),
    )
    return axes[-count:]


def _levels(
    facts: PlateFacts, target: TargetFacts, row: Row, pixel: tuple[float, float] | None, z_step: float | None
) -> tuple[Level, ...]:
    """Return the levels; a pixel of level n has its centre amid the pixels it was made of."""
    y_um, x_um = pixel or (1.0, 1.0)
    x0, y0 = facts.positions.get((str(row["well"]), int(row["site"])), (0.0, 0.0)) if pixel else (0.0, 0.0)
    lead = [*[1.0] * (len(row["shape"]) - 3), float(z_step or 1)]
    shapes = level_shapes(target.plane_shape, target.levels)
    factor_y = factor_x = 1
    levels = []
    for number, (y, x) in enumerate(shapes):
        if number:
            # An axis of one pixel is not scaled further.
            factor_y *= 1 + (y < shapes[number - 1][0])
            factor_x *= 1 + (x < shapes[number - 1][1])
        scale = (*lead, y_um * factor_y, x_um * factor_x)
        shift = (*[0.0] * len(lead), y0 + y_um * (factor_y - 1) / 2, x0 + x_um * (factor_x - 1) / 2)
        levels.append(Level(path=str(number), scale=scale, translation=shift))
    return tuple(levels)

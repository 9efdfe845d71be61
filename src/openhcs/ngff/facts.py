"""What documents of an output say about its plate: facts that stay the same while wells come in.

JSON-able, so an output can be closed later by whoever finds it; also the form of ``plate.json``, the
document beside the TIFFs of an output.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from openhcs.core.plate import Acquisition, Channel, FlatField
from openhcs.core.wells import parse_well, row_name
from openhcs.errors import FormatError
from openhcs.ngff.keys import LARGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openhcs.core.plate import PlateIndex

T = TypeVar("T")
Axes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Sites, time points, channels and z planes of one acquisition, over the whole plate."""
FORMAT = 1
"""Version of what stands under the key ``openhcs``; readers refuse a newer one."""
VENDOR_FILES_LISTED = 64
TOLD = ("plate_type", "barcode", "instrument")
"""What is told of the plate itself, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateFacts:
    """A plate without its planes.

    Parameters
    ----------
    positions
        (well, site) → stage position (x, y) in µm.
    vendor_files
        path of each vendor document → its digest, or "" where none was taken.
    plate_type, barcode, instrument, flat_fields
        as `PlateIndex` has them.
    """

    name: str
    microscope: str = ""
    plan: str = ""
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    channels: tuple[Channel, ...] = ()
    acquisitions: tuple[Acquisition, ...] = ()
    pixel_size_um: tuple[float, float] | None = None
    z_step_um: float | None = None
    positions: Mapping[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    vendor_files: Mapping[str, str] = field(default_factory=dict)
    plate_type: str | None = None
    barcode: str | None = None
    instrument: str | None = None
    flat_fields: Mapping[int, FlatField] = field(default_factory=dict)

    @classmethod
    def of(cls, index: PlateIndex, *, plan: str = "", vendor_files: Mapping[str, str] | None = None) -> PlateFacts:
        """Return the facts of an indexed plate."""
        return cls(
            name=index.name,
            microscope=index.microscope,
            plan=plan,
            rows=index.rows,
            columns=index.columns,
            channels=index.channels,
            acquisitions=index.acquisitions,
            pixel_size_um=index.pixel_size_um,
            z_step_um=index.z_step_um,
            positions=index.positions,
            vendor_files=dict.fromkeys(index.metadata_files, "") | dict(vendor_files or {}),
            **{name: getattr(index, name) for name in (*TOLD, "flat_fields")},
        )

    def including(self, wells: list[str]) -> PlateFacts:
        """Return the facts with rows and columns enough for these wells."""
        places = [parse_well(well) for well in wells] or [(0, 0)]
        rows = max(row for row, _ in places) + 1
        columns = max(column for _, column in places) + 1
        more_rows = tuple(row_name(row) for row in range(len(self.rows), rows))
        more_columns = tuple(f"{column + 1:02d}" for column in range(len(self.columns), columns))
        return replace(self, rows=self.rows + more_rows, columns=self.columns + more_columns)

    def acquisition(self, number: int) -> Acquisition:
        """Return an acquisition; one nobody described is named by its number."""
        known = {one.number: one for one in self.acquisitions}
        return known.get(number, Acquisition(number=number, name=str(number)))

    def channel(self, number: int) -> Channel:
        """Return a channel; one nobody described is named by its number."""
        known = {one.number: one for one in self.channels}
        return known.get(number, Channel(number=number, name=str(number)))

    def own(self) -> dict[str, Any]:
        """Return what the root group says under our own key."""
        vendor: list[dict[str, str]] = [
            {"path": path, "digest": digest} if digest else {"path": path}
            for path, digest in list(self.vendor_files.items())[:VENDOR_FILES_LISTED]
        ]
        more = len(self.vendor_files) - len(vendor)
        return {
            "version": FORMAT,
            "plate": self.name,
            "microscope": self.microscope,
            "plan": self.plan,
            "channels": [_given(channel) for channel in self.channels],
            "acquisitions": [_given(one) for one in self.acquisitions],
            "vendor_files": vendor,
            **({"more_vendor_files": more} if more else {}),
            **{name: told for name in TOLD if (told := getattr(self, name)) is not None},
            **(
                {"flat_fields": {str(n): asdict(one) for n, one in self.flat_fields.items()}}
                if self.flat_fields
                else {}
            ),
        }

    def to_json(self) -> dict[str, Any]:
        """Return all facts as a JSON object; `from_json` gives them back."""
        return {
            **self.own(),
            "vendor_files": [{"path": path, "digest": digest} for path, digest in self.vendor_files.items()],
            "rows": list(self.rows),
            "columns": list(self.columns),
            "pixel_size_um": self.pixel_size_um and list(self.pixel_size_um),
            "z_step_um": self.z_step_um,
            "positions_um": [
                {"well": well, "site": site, "x": x, "y": y} for (well, site), (x, y) in self.positions.items()
            ],
        }

    @classmethod
    def from_json(cls, told: Any) -> PlateFacts:
        """Return the facts that a JSON object holds; keys it does not know are left out.

        Raises
        ------
        FormatError
            a key is missing or of the wrong kind, or the object is of a newer version.
        """
        try:
            if told["version"] > FORMAT:
                found = told["version"]
                raise FormatError(f"these facts are of version {found}, openhcs here reads up to {FORMAT}: update it.")
            size = told.get("pixel_size_um")
            return cls(
                name=str(told["plate"]),
                microscope=str(told.get("microscope", "")),
                plan=str(told.get("plan", "")),
                rows=tuple(map(str, told["rows"])),
                columns=tuple(map(str, told["columns"])),
                channels=channels_of(told),
                acquisitions=acquisitions_of(told),
                pixel_size_um=(float(size[0]), float(size[1])) if size else None,
                z_step_um=_length(told.get("z_step_um")),
                positions={
                    (str(one["well"]), int(one["site"])): (float(one["x"]), float(one["y"]))
                    for one in told.get("positions_um", ())
                },
                vendor_files={str(one["path"]): str(one.get("digest", "")) for one in told.get("vendor_files", ())},
                **told_of(told),
            )
        except (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError) as error:
            if isinstance(error, FormatError):
                raise
            raise FormatError(f"the facts of a plate are not as openhcs writes them: {error!r}") from None


def channels_of(told: Mapping[str, Any]) -> tuple[Channel, ...]:
    """Return the channels under our own key; raises what reading a wrong JSON object raises."""
    return tuple(
        Channel(
            number=_of(int, one["number"]),
            name=_of(str, one["name"]),
            excitation_nm=_length(one.get("excitation_nm")),
            emission_nm=_length(one.get("emission_nm")),
            exposure_ms=_length(one.get("exposure_ms")),
            color=_maybe(str, one.get("color")),
            kind=_maybe(str, one.get("kind")),
            objective=_maybe(str, one.get("objective")),
            magnification=_length(one.get("magnification")),
            numerical_aperture=_length(one.get("numerical_aperture")),
            binning=_pair(int, one["binning"]) if one.get("binning") else None,
            z_offset_um=_length(one.get("z_offset_um")),
        )
        for one in told.get("channels", ())
    )


def acquisitions_of(told: Mapping[str, Any]) -> tuple[Acquisition, ...]:
    """Return the acquisitions under our own key; raises what reading a wrong JSON object raises."""
    return tuple(
        Acquisition(
            number=_of(int, one["number"]),
            name=_of(str, one["name"]),
            projection=bool(one.get("projection", False)),
            start_time=_maybe(str, one.get("start_time")),
        )
        for one in told.get("acquisitions", ())
    )


def told_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of the plate itself under our own key; raises what reading a wrong JSON object raises."""
    flat_fields = {
        int(number): FlatField(
            coefficients=tuple(tuple(float(value) for value in row) for row in one["coefficients"]),
            origin=_pair(float, one["origin"]),
            scale=_pair(float, one["scale"]),
            shape=_pair(int, one["shape"]),
        )
        for number, one in told.get("flat_fields", {}).items()
    }
    return {name: _maybe(str, told.get(name)) for name in TOLD} | {"flat_fields": flat_fields}


def _pair(kind: Callable[[Any], T], values: Any) -> tuple[T, T]:
    one, other = values
    return kind(one), kind(other)


def _of(kind: type[T], value: Any) -> T:
    if type(value) is not kind:
        raise TypeError(f"{value!r:.80} is no {kind.__name__}")
    return value


def _maybe(kind: type[T], value: Any) -> T | None:
    return None if value is None else _of(kind, value)


def _length(value: Any) -> float | None:
    if value is None or (type(value) in (int, float) and abs(value) < LARGEST):
        return value  # type: ignore[no-any-return]
    raise TypeError(f"{value!r:.80} is no number")


def _given(value: Channel | Acquisition) -> dict[str, Any]:
    return {name: item for name, item in asdict(value).items() if item is not None}

"""From the planes a layout found to the index of its plate: the part that is alike for all of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from openhcs.core.plate import (
    Acquisition,
    Channel,
    FileSource,
    InFile,
    Plane,
    PlaneState,
    PlateIndex,
    Unmatched,
    sorted_planes,
)
from openhcs.core.wells import parse_well, plate_shape, row_name
from openhcs.errors import FormatError, NotGrey, SeveralPlates
from openhcs.microscopes.forms import why_unmatched
from openhcs.microscopes.headers import Headers, kind_text, size_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from openhcs.core.plate import Files, Key

COPY_LIMIT = 2**30
COLOURED = "an image of colours, and a plane has one value per pixel"


def assemble(
    files: Files,
    *,
    microscope: str,
    name: str,
    planes: Iterable[Plane],
    why: str,
    channels: Iterable[Channel] = (),
    acquisitions: tuple[Acquisition, ...] = (Acquisition(number=0, name="0"),),
    shape: tuple[int, int] | None = None,
    documents: Iterable[str] = (),
    left_out: Iterable[Unmatched] = (),
    warnings: Iterable[str] = (),
    headers: Headers | None = None,
    promised: bool = False,
    **facts: Any,
) -> PlateIndex:
    """Return the index of a plate.

    Parameters
    ----------
    planes
        in any order. Of several at one place with equal bytes one is kept and the others are told.
    channels
        as described; one with no plane is left out, one nobody described is named by its number.
    shape
        rows and columns of the plate, where told; it grows to hold every well.
    documents
        paths of vendor documents, to be kept verbatim.
    left_out
        files known to be no plane, each with its reason.
    headers
        of the planes' files, where they have been read.
    promised
        whether a document says what there is to be: images of another size or dtype then stay planes, for
        reading them must fail, and are not left out.
    facts
        further fields of `PlateIndex`; ``dtype`` and ``plane_shape`` count where no plane can be read.

    Raises
    ------
    FormatError
        two planes of one place differ.
    """
    told = list(warnings)
    kept, copies = _once(files, planes)
    kept, odd = _of_one_kind(kept, _look(files, kept) if headers is None else headers, facts, told, promised=promised)
    used = {plane.source.path for plane in kept if isinstance(plane.source, InFile)}
    kept_documents = tuple(dict.fromkeys(documents))
    unmatched = [*left_out, *copies, *odd]
    known = used | set(kept_documents) | {one.path for one in unmatched}
    unmatched += _others([file.path for file in files.list() if file.path not in known])
    if copies:
        told.append(f"copies of another file, kept once: {len(copies)}, such as {copies[0].path}: {copies[0].reason}")
    told += _twins(used)
    rows, columns = _shape(kept, shape, told)
    described = {channel.number: channel for channel in channels}
    return PlateIndex(
        name=name,
        root=files.root,
        microscope=microscope,
        rows=tuple(row_name(row) for row in range(rows)),
        columns=tuple(f"{column + 1:02d}" for column in range(columns)),
        planes=sorted_planes(kept),
        channels=tuple(
            described.get(number, Channel(number=number, name=str(number)))
            for number in sorted({plane.channel for plane in kept})
        ),
        acquisitions=acquisitions,
        metadata_files=kept_documents,
        unmatched=tuple(unmatched),
        warnings=tuple(told),
        why=why,
        **facts,
    )


def _others(paths: Iterable[str]) -> list[Unmatched]:
    """Return why files are no plane; a Zarr store among them is told once, not file by file."""
    reasons: dict[str, str] = {}
    known: dict[str, str] = {}
    for path in paths:
        before, inside, _ = path.partition(".zarr/")
        if inside:
            reasons[f"{before}.zarr"] = "a Zarr store"
        else:
            reasons[path] = why_unmatched(path, known)
    return [Unmatched(path=path, reason=reason) for path, reason in reasons.items()]


def not_recorded(promised: Iterable[tuple[str, Key]], there: Collection[tuple[str, Key]]) -> Iterator[Plane]:
    """Yield a plane for each promised place, (well, key), that no file or record is of."""
    for well, key in promised:
        if (well, key) not in there:
            acquisition, site, t, channel, z = key
            state = PlaneState.NOT_RECORDED
            yield Plane(well=well, site=site, channel=channel, z=z, t=t, acquisition=acquisition, state=state)


def refuse_several(files: Files, places: Iterable[str]) -> None:
    """Raise `SeveralPlates` where there is more than one place; the empty one is the folder itself."""
    found = sorted(set(places))
    if len(found) < 2:
        return
    shown = ", ".join(place or "the folder itself" for place in found[:5])
    error = SeveralPlates(
        f"{files.root} holds {len(found)} plates: {shown}{' …' if len(found) > 5 else ''}. Name one of them.",
        path=files.root,
    )
    error.places = tuple(found)
    raise error


def _once(files: Files, planes: Iterable[Plane]) -> tuple[list[Plane], list[Unmatched]]:
    """Return planes of which each place has one, and the files that are copies of theirs."""
    kept: dict[tuple[object, ...], Plane] = {}
    copies: list[Unmatched] = []
    differing: list[tuple[Plane, str, str]] = []
    for plane in planes:
        first = kept.setdefault((plane.well, plane.key), plane)
        if first is plane:
            continue
        if first.source is None or first.state is not PlaneState.PRESENT:
            if plane.state is PlaneState.PRESENT:
                kept[plane.well, plane.key] = plane
        elif plane.state is PlaneState.PRESENT and isinstance(plane.source, FileSource):
            one, other = first.source, plane.source
            if not isinstance(one, FileSource) or one == other:
                continue
            if len(differing) < 2 and not _same(files, one, other):
                differing.append((plane, one.path, other.path))
            copies.append(Unmatched(path=other.path, reason=f"the same bytes as {one.path}, which is {plane.name}"))
    if differing:
        examples = "; ".join(f"{plane.name} is {one} and {other}" for plane, one, other in differing)
        raise FormatError(
            f"{files.root}: {len(copies)} planes are there twice, with different pixels: {examples}. Take one of each "
            "pair out of the folder.",
            path=files.root,
            well=differing[0][0].well,
            site=differing[0][0].site,
        )
    return list(kept.values()), copies


def _same(files: Files, one: FileSource, other: FileSource) -> bool:
    if one.size != other.size or one.page != other.page:
        return False
    return files.read_bytes(one.path, limit=COPY_LIMIT) == files.read_bytes(other.path, limit=COPY_LIMIT)


def _of_one_kind(
    planes: list[Plane], headers: Headers, facts: dict[str, Any], warnings: list[str], *, promised: bool
) -> tuple[list[Plane], list[Unmatched]]:
    """Return the planes of the most common size and dtype, which ``facts`` then tell, and the other files.

    A damaged file stays a plane: reading it must fail, and name it.
    """
    kinds, damaged, coloured = headers.kinds, headers.damaged, headers.coloured
    if damaged:
        path, why = next(iter(damaged.items()))
        warnings.append(f"images that cannot be read: {len(damaged)}, such as {path}: {why}")
    if headers.brightness:
        number = len(headers.brightness)
        warnings.append(f"images in colours, whose brightness is read: {number}, such as {headers.brightness[0]}")
    if not kinds and coloured:
        path, why = next(iter(coloured.items()))
        raise NotGrey(f"no image is grey: {why}. Save planes with one value per pixel.", path=path)
    if not kinds:
        return planes, []
    usual = Counter(kinds.values()).most_common(1)[0][0]
    said = facts.get("plane_shape")
    facts["dtype"], facts["plane_shape"] = usual
    if said is not None and said != usual[1]:
        warnings.append(f"images are {size_text(usual[1])} pixels (y × x) and the documents say {size_text(said)}")
    odd = {
        path: f"{kind_text(kind)} where most are {kind_text(usual)}" for path, kind in kinds.items() if kind != usual
    } | dict.fromkeys(coloured, COLOURED)
    if odd:
        path, reason = next(iter(odd.items()))
        done = "cannot be read" if promised else "are left out"
        warnings.append(f"images of another kind {done}: {len(odd)}, such as {path}: {reason}")
    if promised:
        return planes, []
    reasons = [Unmatched(path=path, reason=reason) for path, reason in odd.items()]
    return [plane for plane in planes if plane.source is None or plane.source.path not in odd], reasons


def _look(files: Files, planes: Iterable[Plane]) -> Headers:
    """Read headers of the planes' files by acquisition and channel."""
    groups: dict[object, dict[str, FileSource]] = defaultdict(dict)
    for plane in planes:
        if plane.state is PlaneState.PRESENT and isinstance(plane.source, FileSource):
            groups[plane.acquisition, plane.channel].setdefault(plane.source.path, plane.source)
    headers = Headers(files)
    headers.look({key: list(group.values()) for key, group in groups.items()})
    return headers


def _twins(used: Collection[str]) -> list[str]:
    """Tell of names that differ only in case: other systems would keep one of them."""
    folded = Counter(map(str.casefold, used))
    if len(folded) == folded.total():
        return []
    groups: dict[str, list[str]] = defaultdict(list)
    for path in used:
        groups[path.casefold()].append(path)
    twins = [sorted(group) for group in groups.values() if len(group) > 1]
    return [f"names differ only in the case of letters: {len(twins)} pairs, such as {' and '.join(twins[0][:2])}"]


def _shape(planes: Iterable[Plane], told: tuple[int, int] | None, warnings: list[str]) -> tuple[int, int]:
    wells = sorted({plane.well for plane in planes})
    if told is None or min(told) < 1:
        return plate_shape(wells)
    places = [parse_well(well) for well in wells] or [(0, 0)]
    rows, columns = max(row for row, _ in places) + 1, max(column for _, column in places) + 1
    if rows > told[0] or columns > told[1]:
        warnings.append(
            f"the documents tell of {told[0]} × {told[1]} wells, and images are of row {rows}, column {columns}"
        )
        return plate_shape(wells)
    return told

"""What layouts share that are told by file names: names sorted by folder, and one plate of them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from os.path import abspath
from typing import TYPE_CHECKING, Generic, TypeVar

from openhcs.core.plate import Unmatched
from openhcs.errors import FormatError, SeveralPlates
from openhcs.microscopes.assemble import refuse_several
from openhcs.microscopes.forms import all_forms, is_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from openhcs.core.plate import Files, FileSource

N = TypeVar("N")
DOCUMENT_LIMIT = 256 * 2**20
"""Bytes of the largest document that is kept."""
CACHES = {
    "thumbs.db": "a cache of thumbnails that Windows makes",
    "ehthumbs.db": "a cache of thumbnails that Windows makes",
    "desktop.ini": "settings of a Windows folder",
}
"""Files that come with folders, by their names in lower case, and what they are."""


@dataclass(frozen=True, slots=True)
class Found(Generic[N]):
    """One file whose name is of a form: what the name says, the file, and the folder of its plate."""

    name: N
    file: FileSource
    home: str


@dataclass(frozen=True, slots=True)
class Sorted(Generic[N]):
    """Files whose names are of a form, and all others."""

    found: list[Found[N]]
    others: list[FileSource]

    def documents(self, *suffixes: str) -> list[str]:
        """Return the other files that end so, in whatever case, and can be kept."""
        kept = (file for file in self.others if file.size <= DOCUMENT_LIMIT)
        return [file.path for file in kept if file.path.lower().endswith(suffixes)]


def sort_names(files: Files, parse: Callable[[str], N | None], home: Callable[[str], str]) -> Sorted[N]:
    """Return the files of a folder by whether their names parse.

    Parameters
    ----------
    parse
        from a file's own name to what it says, None where it is of another form.
    home
        from the folder a file is in to that of its plate.
    """
    found: list[Found[N]] = []
    others: list[FileSource] = []
    for file in files.list():
        folder, _, base = file.path.rpartition("/")
        name = parse(base)
        if name is None:
            others.append(file)
        else:
            found.append(Found(name, file, home(folder)))
    return Sorted(found, others)


def too_few(held: Sorted[N], form: str, example: str) -> str | None:
    """Return why names of a form do not make the folder one of their layout, None where they do.

    They do where no more images are named in a way that no layout knows; those of another layout are
    for the caller of the microscope to tell.
    """
    if not held.found:
        return f"no file is named {form}, such as {example}"
    forms = [one.matches for _, one in all_forms()]
    bases = (file.path.rpartition("/")[2] for file in held.others)
    strange = sum(is_image(base) and not any(matches(base) for matches in forms) for base in bases)
    if strange > len(held.found):
        return f"{len(held.found)} of {len(held.found) + strange} images are named {form}, the others are not"
    return None


def refuse_plates(files: Files, found: Iterable[Found[N]], name: Callable[[N], str]) -> None:
    """Refuse files of more than one plate: several folders, or names of several plates in one.

    Raises
    ------
    SeveralPlates
        they are; ``places`` are the folders.
    """
    names: dict[str, Counter[str]] = defaultdict(Counter)
    for one in found:
        names[one.home][name(one.name)] += 1
    refuse_several(files, names)
    for plates in names.values():
        if len(plates) > 1:
            told = ", ".join(f"{count} of {plate or 'no name'}" for plate, count in plates.most_common(5))
            raise SeveralPlates(
                f"{files.root} holds images of {len(plates)} plates in one folder: {told}. Move each plate into a "
                "folder of its own.",
                path=files.root,
            )


def caches(others: Sequence[FileSource]) -> list[Unmatched]:
    """Return those files that come with folders, with what they are."""
    bases = ((file.path, file.path.rpartition("/")[2].lower()) for file in others)
    return [Unmatched(path=path, reason=CACHES[base]) for path, base in bases if base in CACHES]


def is_below(path: str, folder: str) -> bool:
    """Say whether a path lies in a folder or below it; the empty folder is the root."""
    return not folder or path.startswith(f"{folder}/")


def folder_name(files: Files, home: str = "", *, inner: str = "") -> str:
    """Return the name of a plate's folder; ``inner`` is that of folders within it that name no plate."""
    parts = [part for part in re.split(r"[/\\]", f"{abspath(files.root)}/{home}") if part]
    while len(parts) > 1 and inner and re.fullmatch(inner, parts[-1], re.IGNORECASE):
        parts.pop()
    return parts[-1] if parts else "plate"


def first_pages(files: Files, found: Sequence[Found[N]]) -> int:
    """Return how many pages the first file that can be read has; 1 where none can."""
    for one in found[:5]:
        try:
            return files.header(one.file.path).pages
        except FormatError:
            continue
    return 1

"""Which OME-XML documents a folder holds, in as few files as tell of all, and the files they name.

A document stands in a file of its own or in the description of a TIFF. One that names other files
speaks for them, so these are not opened; one that points at another (``BinaryOnly``) leads there.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from openhcs.errors import FormatError
from openhcs.microscopes.guesses import guess
from openhcs.microscopes.ome.xml import is_ome, parse_description, parse_ome
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openhcs.core.plate import Files, FileSource, ImageHeader
    from openhcs.microscopes.ome.model import OmeDocument

DOCUMENTS = (".companion.ome", ".ome.xml", ".ome")
OME_TIFF = (".ome.tif", ".ome.tiff", ".ome.tf2", ".ome.tf8", ".ome.btf")
TIFF = (".tif", ".tiff")
MOST_DOCUMENTS, MOST_OPENED = 2000, 10_000
DOCUMENT_LIMIT = 256 * 2**20


class KnownFiles:
    """A folder whose headers are read once; satisfies `openhcs.core.plate.Files`."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._headers: dict[str, ImageHeader | FormatError] = {}
        self.root = files.root

    def list(self) -> tuple[FileSource, ...]:
        """Return every file below the folder."""
        return self._files.list()

    def read_bytes(self, path: str, *, limit: int = DOCUMENT_LIMIT) -> bytes:
        """Return a file's bytes."""
        return self._files.read_bytes(path, limit=limit)

    def description(self, path: str) -> str:
        """Return the description of an image's first page, which is not kept; errors as `header`."""
        header = self._files.header(path)
        self._headers[path] = replace(header, description="")
        return header.description

    def header(self, path: str) -> ImageHeader:
        """Return what an image's first page says, without its description."""
        if path not in self._headers:
            try:
                self.description(path)
            except FormatError as error:
                self._headers[path] = error
        found = self._headers[path]
        if isinstance(found, FormatError):
            raise found
        return found

    def pages(self, path: str) -> int | None:
        """Return how many pages a file has, None where it cannot be read."""
        try:
            return self.header(path).pages
        except FormatError:
            return None


@dataclass(frozen=True, slots=True)
class Told:
    """A document, the path of the file it stands in, and that file where it is a TIFF."""

    document: OmeDocument
    path: str
    own: FileSource | None = None


class Finder:
    """Finds the files that documents name, by path, by name and by UUID; never outside the folder."""

    def __init__(self, files: Files) -> None:
        self._there = {file.path: file for file in files.list()}
        self._bases: dict[str, list[str]] = defaultdict(list)
        for path in self._there:
            self._bases[posixpath.basename(path)].append(path)
        self.uuids: dict[str, str] = {}
        """UUID of each TIFF that was opened → its path."""

    def named(self, told_in: str, name: str) -> FileSource | None:
        """Return the file of a name that stands in a document, beside it first."""
        relative = posixpath.normpath(name.replace("\\", "/"))
        folder, base = posixpath.dirname(told_in), posixpath.basename(relative)
        for path in (posixpath.normpath(posixpath.join(folder, relative)), posixpath.join(folder, base)):
            if path in self._there:
                return self._there[path]
        elsewhere = self._bases.get(base, ())
        return self._there[elsewhere[0]] if len(elsewhere) == 1 else None

    def find(self, told: Told, name: str, uuid: str) -> FileSource | None:
        """Return the file that a block of a document means, None where it is not there."""
        found = self.named(told.path, name) if name else None
        if found is not None:
            return found
        if uuid and uuid in self.uuids:
            return self._there[self.uuids[uuid]]
        itself = not (name or uuid) or (uuid and uuid == told.document.uuid)
        return told.own if itself else None


@dataclass(slots=True)
class Gathered:
    """The documents of a folder, and TIFFs that tell of nothing with the reason."""

    told: list[Told] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    """Paths of what is named as OME-TIFFs are."""


def gather(files: KnownFiles, finder: Finder, *, by_names: bool = True) -> Gathered | NotMine:
    """Return the documents that tell of all OME-TIFFs of a folder, or why there are none.

    With ``by_names``, files of one plane that know nothing of one another are left to their names.

    Raises
    ------
    FormatError
        a document is damaged, there are too many, or no OME-TIFF can be read.
    """
    listed = [file for file in files.list() if ".zarr/" not in file.path]
    documents = [file for file in listed if file.path.lower().endswith(DOCUMENTS)]
    images = [file for file in listed if file.path.lower().endswith(OME_TIFF)]
    if not documents and not images:
        plain = [file for file in listed if file.path.lower().endswith(TIFF)]
        if not plain or not _is_ome_inside(files, plain[0].path):
            return NotMine("no *.companion.ome, *.ome.xml or *.ome.tif is there, and no TIFF begins with OME-XML")
        images = plain
    if len(documents) > MOST_DOCUMENTS:
        raise FormatError(
            f"{files.root} holds {len(documents)} OME-XML documents, such as {documents[0].path}; no more than "
            f"{MOST_DOCUMENTS} are read as one plate. Name the folder of one.",
            path=files.root,
        )
    return _Gathering(files, finder, images).run(documents, by_names=by_names)


def _is_ome_inside(files: KnownFiles, path: str) -> bool:
    try:
        return is_ome(files.description(path))
    except FormatError:
        return False


class _Gathering:
    """Opens what no document known so far speaks for."""

    def __init__(self, files: KnownFiles, finder: Finder, images: Sequence[FileSource]) -> None:
        self.files = files
        self.finder = finder
        self.images = {file.path: file for file in images}
        self.found = Gathered(images=tuple(self.images))
        self.spoken_for: set[str] = set()
        self.uuids: set[str] = set()
        """UUIDs that documents call their files by."""
        self.own: set[str] = set()
        """UUIDs of the documents themselves."""
        self.opened = 0
        self.damaged: FormatError | None = None

    def run(self, documents: Sequence[FileSource], *, by_names: bool) -> Gathered | NotMine:
        for file in documents:
            data = self.files.read_bytes(file.path, limit=DOCUMENT_LIMIT)
            document = parse_ome(data, posixpath.join(self.files.root, file.path))
            if document is not None and not document.points_to:
                self._take(Told(document, file.path))
        for path in self.images:
            known = len(self.found.told)
            self._open(path)
            if by_names and not known and self.found.told and self._named_alone():
                return NotMine(
                    f"each of {len(self.images)} OME-TIFFs tells of one plane and their names tell which it is"
                )
        if not self.found.told:
            return self._nothing()
        return self.found

    def _open(self, path: str) -> None:
        if path in self.spoken_for or path in self.found.reasons:
            return
        self.opened += 1
        if self.opened > MOST_OPENED:
            raise FormatError(
                f"{self.files.root} holds more than {MOST_OPENED} OME-TIFFs that tell nothing of one another. Say how "
                "they are named: --pattern '{well}_s{site}_c{channel}.ome.tif'.",
                path=self.files.root,
            )
        try:
            text = self.files.description(path)
        except FormatError as error:
            self.found.reasons[path] = str(error)
            self.damaged = self.damaged or error
            return
        document = parse_description(text, posixpath.join(self.files.root, path))
        if document is None:
            self.found.reasons[path] = "its description is no OME-XML"
            return
        if document.uuid:
            self.finder.uuids.setdefault(document.uuid, path)
        if document.points_to:
            self._follow(path, document.points_to)
        elif not document.uuid or document.uuid not in self.uuids:
            self._take(Told(document, path, self.images[path]))

    def _follow(self, path: str, name: str) -> None:
        self.found.reasons[path] = f"its OME-XML points at {name}, which does not name it"
        there = self.finder.named(path, name)
        if there is None:
            self.found.reasons[path] = f"its OME-XML points at {name}, which is not there"
        elif there.path in self.images:
            self._open(there.path)

    def _take(self, told: Told) -> None:
        document = told.document
        if document.uuid and document.uuid in self.own:
            self.found.reasons[told.path] = "it is the document of another file again"
            return
        self.own.add(document.uuid)
        self.found.told.append(told)
        for name, uuid in _named(document):
            self.uuids.add(uuid)
            file = self.finder.named(told.path, name) if name else None
            if file is not None:
                self.spoken_for.add(file.path)
        self.uuids.discard("")

    def _named_alone(self) -> bool:
        """Return whether the first document tells of one plane, its own, and names tell the places of all."""
        told = self.found.told[0]
        images = told.document.images
        if told.own is None or len(self.images) < 2 or len(images) != 1 or images[0].sizes != (1, 1, 1):
            return False
        if told.document.plates or any(
            name and name != posixpath.basename(told.path) for name, _ in _named(told.document)
        ):
            return False
        form = guess(list(self.images))
        return form is not None and bool({"well", "row"} & set(form.fields))

    def _nothing(self) -> NotMine:
        reasons = self.found.reasons
        if not reasons:
            return NotMine("the *.ome.xml documents there are none of OME's")
        path, why = next(iter(reasons.items()))
        if "points at" in why:
            raise FormatError(
                f"{posixpath.join(self.files.root, path)}: {why}. Copy that file beside the images: it holds what is "
                f"known of {len(reasons)} of them.",
                path=path,
            )
        if self.damaged is not None and path.lower().endswith(OME_TIFF) and len(reasons) == len(self.images):
            raise self.damaged
        return NotMine(f"{path}: {why}")


def _named(document: OmeDocument) -> Iterator[tuple[str, str]]:
    """Yield the (file name, UUID) pairs that a document names, each once."""
    yield from dict.fromkeys((block.file, block.uuid) for image in document.images for block in image.blocks)

"""The headers of ImageXpress images, each read once, and whether two files are one image copied."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from openhcs.errors import FormatError
from openhcs.microscopes.metaxpress.metaseries import Facts, facts_of

if TYPE_CHECKING:
    from openhcs.core.plate import Files, FileSource, ImageHeader

COPY_LIMIT = 2**30
MOST_KEPT = 5000
"""Headers that are kept: of a large plate more are read, and their facts are enough."""


class Headers:
    """A folder whose headers are kept once they were read; satisfies `openhcs.core.plate.Files`."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._headers: dict[str, ImageHeader | FormatError] = {}
        self._facts: dict[str, Facts] = {}
        self._digests: dict[str, bytes] = {}

    @property
    def root(self) -> str:
        """The folder's own path or address."""
        return self._files.root

    def list(self) -> tuple[FileSource, ...]:
        """Return every file below the folder."""
        return self._files.list()

    def read_bytes(self, path: str, *, limit: int = 256 * 2**20) -> bytes:
        """Return a file's bytes."""
        return self._files.read_bytes(path, limit=limit)

    def header(self, path: str) -> ImageHeader:
        """Return what an image's first page says; `FormatError` if it is no image."""
        found = self._headers.get(path)
        if found is None:
            try:
                found = self._files.header(path)
            except FormatError as error:
                found = error
            if len(self._headers) < MOST_KEPT:
                self._headers[path] = found
        if isinstance(found, FormatError):
            raise found
        return found

    def facts(self, source: FileSource) -> Facts:
        """Return what an image says about itself: nothing, where it cannot be read."""
        path = source.path
        if path not in self._facts:
            try:
                self._facts[path] = facts_of(self.header(path))
            except FormatError:
                self._facts[path] = Facts()
        return self._facts[path]

    def tells(self, source: FileSource) -> bool:
        """Return whether an image tells when it was recorded: two that say the same then are one."""
        return self.facts(source).acquired is not None

    def mark(self, source: FileSource) -> tuple[object, ...]:
        """Return what is equal for copies of one image, and for hardly any other two of the same size.

        The description where it tells the moment of recording, the digest of all bytes otherwise.
        """
        if self.tells(source):
            return (source.size, self.header(source.path).description)
        if source.path not in self._digests:
            try:
                data = self._files.read_bytes(source.path, limit=COPY_LIMIT)
            except FormatError:
                data = source.path.encode("utf-8", "surrogateescape")
            self._digests[source.path] = hashlib.sha256(data).digest()
        return (source.size, self._digests[source.path])

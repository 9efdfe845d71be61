"""One normal form of a path, and the folder that paths may not leave.

A normal path is text with forward slashes: no empty parts, no ``.`` or ``..``, no slash at its end.
The empty text is the folder that relative paths start from. Two spellings of one place
(``a//b``, ``./a/b``, ``a/x/../b``) have one normal form; nothing is looked up on a disk for it.
"""

from __future__ import annotations

import functools
import os
import re
import threading
from pathlib import Path

from openhcs.core.checks import name_problem
from openhcs.errors import InvalidPath, InvalidType, from_oserror

_RESERVED = r"(?!(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:[./]|$))"
_PART = rf"(?!\.\.?(?:/|$)){_RESERVED}[\w .+@=,()#-]{{1,255}}"
_PLAIN = re.compile(rf"/?{_PART}(?:/{_PART})*", re.ASCII | re.IGNORECASE)
"""Paths that are normal and legal as they stand: nearly all there are."""
MOST_BYTES = 3500
"""Bytes of the longest path that is written: with what lies below it, it stays under the 4096 of a system."""
MOST_FOLDERS = 64
"""Folders of which the names are kept in mind."""
_DRIVE = re.compile(r"[A-Za-z]:")


def normal(path: str | os.PathLike[str]) -> str:
    """Return the one normal form of a path.

    Raises
    ------
    InvalidPath
        a part that cannot name a file everywhere (control characters, longer than 255 bytes, a
        name that Windows keeps for itself), or a relative path that leaves where it starts.
    InvalidType
        neither text nor a path.

    Examples
    --------
    >>> normal("out//A01/../B02/./s1.tif"), normal("//plate/"), normal(".")
    ('out/B02/s1.tif', '/plate', '')
    """
    return _normal(path if type(path) is str else _text(path))


@functools.lru_cache(maxsize=4096)
def _normal(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    absolute = text.startswith("/")
    parts: list[str] = []
    for part in text.split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            parts.append(_checked(part, text))
        elif parts:
            parts.pop()
        elif not absolute:
            raise InvalidPath(f"{text!r} leaves the folder it starts from", path=text)
    return ("/" if absolute else "") + "/".join(parts)


def _text(path: object) -> str:
    found = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
    if not isinstance(found, str):
        raise InvalidType(f"a path is a text or a pathlib.Path, not {path!r}")
    return str(found)


def _checked(part: str, path: str) -> str:
    problem = name_problem(part)
    if problem is None:
        try:
            os.fsencode(part)
        except UnicodeEncodeError:
            problem = "holds characters that no file name can have"
    if problem is not None:
        raise InvalidPath(f"{path!r}: {part!r} {problem}", path=path)
    return part


def parent_of(path: str) -> str:
    """Return the folder that a normal path lies in.

    >>> parent_of("a/b"), parent_of("a"), parent_of("/a")
    ('a', '', '/')
    """
    head, slash, _ = path.rpartition("/")
    return head or slash


def join(folder: str, name: str) -> str:
    """Return the normal path of a name in a folder that is a normal path.

    >>> join("a", "b"), join("", "b"), join("/", "b")
    ('a/b', 'b', '/b')
    """
    return folder + name if folder in ("", "/") else f"{folder}/{name}"


def name_of(path: str) -> str:
    """Return the last part of a normal path."""
    return path.rpartition("/")[2]


class Root:
    """Where paths start from: a folder they may not leave, or the working directory.

    Parameters
    ----------
    root
        the folder; None: relative paths start from the working directory, absolute ones are allowed.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self.folder = None if root is None else Path(os.path.abspath(_text(root)))
        self._base = "" if self.folder is None else f"{self.folder.as_posix().rstrip('/')}/"
        self._real = None if self.folder is None else os.path.realpath(self.folder)

    def key(self, path: str | os.PathLike[str]) -> str:
        """Return the normal form of a path below the root; nothing is looked up on a disk.

        An absolute path that lies in the root becomes relative to it. Without a root, a path that
        begins with ``..`` becomes absolute.

        Raises
        ------
        InvalidPath
            a path that leaves the root or cannot be stored.
        """
        text = path if type(path) is str else _text(path)
        if self.folder is None:
            return normal(f"{os.getcwd()}/{text}") if _climbs(text) else normal(text)
        if _DRIVE.match(text):
            raise InvalidPath(f"{text!r} names a drive; give a path below {self.folder}", path=text)
        found = normal(text)
        if not found.startswith("/"):
            return found
        if not f"{found}/".startswith(self._base):
            raise InvalidPath(f"{text!r} is not below {self.folder}", path=text)
        return found[len(self._base) :]

    def resolve(self, path: str | os.PathLike[str]) -> Path:
        """Return where a path lies on the disk; links may not lead out of the root.

        Raises
        ------
        InvalidPath
            a path that leaves the root or cannot be stored.
        """
        key = self.key(path)
        if self.folder is None or self._real is None:
            return Path(key)
        found = self.folder / key
        real = os.path.realpath(found)
        if real != self._real and not real.startswith(self._real.rstrip(os.sep) + os.sep):
            raise InvalidPath(f"{key!r} leaves {self.folder} through a link", path=key)
        return found


def check_length(at: Path, path: str) -> None:
    """Refuse to write at a path that is too long.

    Raises
    ------
    InvalidPath
        it is longer than `MOST_BYTES`.
    """
    size = len(os.fsencode(at))
    if size > MOST_BYTES:
        raise InvalidPath(f"{path[:80]} …: the path has {size} bytes; no more than {MOST_BYTES} are written", path=path)


class Twins:
    """Watches that no two names in a folder differ only in case: on other systems both are one.

    Folders are listed again only when others have changed them. Safe in many threads at once.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, dict[str, str]]] = {}
        self._lock = threading.Lock()

    def refuse(self, at: Path, path: str) -> None:
        """Refuse a new name, or that of a new folder above it, that has a twin; names that are there pass.

        Raises
        ------
        InvalidPath
            it has a twin.
        """
        if os.path.lexists(at):
            return
        while not os.path.lexists(at.parent) and at.parent != at:
            at = at.parent
        twin = self._names(os.fspath(at.parent)).get(at.name.casefold(), at.name)
        if twin != at.name and os.path.lexists(at.with_name(twin)):
            raise InvalidPath(
                f"{path}: {at.name!r} differs from {twin!r}, which is there, only in case; choose another name",
                path=path,
            )

    def note(self, at: Path) -> None:
        """Remember a name that was made."""
        folder = os.fspath(at.parent)
        with self._lock:
            if (known := self._known.get(folder)) is not None:
                known[1][at.name.casefold()] = at.name
                self._known[folder] = (_changed(folder), known[1])

    def _names(self, folder: str) -> dict[str, str]:
        changed = _changed(folder)
        with self._lock:
            known = self._known.get(folder)
            if known is not None and known[0] == changed:
                return known[1]
        try:
            names = {name.casefold(): name for name in os.listdir(folder)}
        except NotADirectoryError:
            return {}
        except OSError as error:
            raise from_oserror(error, doing="read the folder", path=folder) from error
        with self._lock:
            if len(self._known) >= MOST_FOLDERS:
                self._known.clear()
            self._known[folder] = (changed, names)
        return names


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return -1


def _climbs(text: str) -> bool:
    if text.startswith("/") or ".." not in text:
        return False
    depth = 0
    for part in text.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return False

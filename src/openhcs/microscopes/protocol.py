"""What a microscope is: a folder in, a `PlateIndex` out.

A layout is one file in this package and one line in `openhcs.microscopes.TABLE`; a third party
registers through the entry point group ``openhcs.microscopes``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from openhcs.core.plate import Files, PlateIndex


class Microscope(Protocol):
    """A reader of one vendor's layout; made without arguments."""

    name: str

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none of this vendor's.

        Names and metadata are read, never pixels.

        Raises
        ------
        InputError
            the folder is of this vendor and damaged; no other layout is tried then.
        """


@dataclass(frozen=True, slots=True)
class NotMine:
    """Why a folder is not of a layout, in half a sentence, such as "no file name has a well"."""

    why: str

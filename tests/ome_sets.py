"""OME-TIFF sets made by hand: documents, blocks and files, each in one line of a test."""

from __future__ import annotations

import numpy as np
import tifffile

from openhcs.core.plate import PlaneState
from openhcs.io.folder import FolderFiles
from openhcs.microscopes.ome_tiff import OmeTiff

SIZES = 'SizeX="4" SizeY="3"'


class Counting(FolderFiles):
    """A folder that counts the images whose header is read."""

    def __init__(self, root):
        super().__init__(root)
        self.opened = []

    def header(self, path):
        self.opened.append(path)
        return super().header(path)


def read(folder):
    return OmeTiff().index(FolderFiles(folder))


def states(index):
    return {state.value: count for state, count in index.states.items() if count}


def document(*images, plates="", uuid=""):
    body = "".join(images)
    own = f' UUID="urn:uuid:{uuid}"' if uuid else ""
    return f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"{own}>{plates}{body}</OME>'


def image(number, blocks="<TiffData/>", *, name="", z=1, c=1, t=1, inner="", order="XYZCT"):
    return (
        f'<Image ID="Image:{number}" Name="{name}">{inner}<Pixels ID="P" DimensionOrder="{order}" Type="uint16" '
        f'{SIZES} SizeZ="{z}" SizeC="{c}" SizeT="{t}">{blocks}</Pixels></Image>'
    )


def block(file, uuid="", **numbers):
    told = " ".join(f'{key}="{value}"' for key, value in numbers.items())
    return f'<TiffData {told}><UUID FileName="{file}">urn:uuid:{uuid}</UUID></TiffData>'


def plate(*wells, name="p", runs="", more=""):
    """Write a plate of wells (row, column, image numbers)."""
    inner = ""
    for row, column, numbers in wells:
        samples = "".join(
            f'<WellSample ID="S:{n}" Index="{n}"><ImageRef ID="Image:{n}"/></WellSample>' for n in numbers
        )
        inner += f'<Well ID="W:{row}:{column}" Row="{row}" Column="{column}">{samples}</Well>'
    return f'<Plate ID="Plate:{name}" Name="{name}" {more}>{inner}{runs}</Plate>'


def save(path, pages=1, description=None, first=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(path) as tiff:
        for number in range(pages):
            told = None if number or description is None else description.encode()
            pixels = np.full((3, 4), first + number, np.uint16)
            tiff.write(pixels, description=told, metadata=None, photometric="minisblack")
    return path


def pages(index):
    return {
        (plane.well, plane.site, plane.channel, plane.z, plane.t): (plane.source.path, plane.source.page)
        for plane in index.planes
        if plane.state is PlaneState.PRESENT
    }

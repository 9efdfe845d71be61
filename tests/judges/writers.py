"""Plates and images as other libraries write them: ``python writers.py WRITER VERSION FOLDER`` makes one.

All hold the same pixels (c, y, x) in A/1 and B/3 where the library writes plates; an image alone where it
does not. What a library cannot do in a version is left to it: it raises, and the table says so.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import peers

WELLS = {"A/1": 0, "B/3": 1}


def pixels(seed: int = 0) -> np.ndarray:
    return peers.pixels(seed)


def ngio(folder: Path, version: str) -> None:
    import ngio

    listed = [ngio.ImageInWellPath(row=well[0], column=int(well[2:]), path="0") for well in WELLS]
    plate = ngio.create_empty_plate(str(folder), name="P", images=listed, ngff_version=version)
    how = {"pixelsize": 0.5, "axes_names": "cyx", "channels_meta": ["DAPI", "GFP"], "ngff_version": version}
    for well, seed in WELLS.items():
        store = plate.get_image_store(row=well[0], column=int(well[2:]), image_path="0")
        image = ngio.create_ome_zarr_from_array(store, pixels(seed), overwrite=True, **how)
        image.get_image().consolidate()


def iohub(folder: Path, version: str) -> None:
    from iohub.ngff import TransformationMeta, open_ome_zarr

    how = {"layout": "hcs", "mode": "w-", "channel_names": ["DAPI", "GFP"], "version": version}
    with open_ome_zarr(str(folder), **how) as plate:
        for well, seed in WELLS.items():
            position = plate.create_position(well[0], well[2:], "0")
            scale = TransformationMeta(type="scale", scale=[1.0, 1.0, 1.0, 0.5, 0.5])
            position.create_image("0", pixels(seed)[None, :, None], transform=[scale])


def acquire_zarr(folder: Path, version: str) -> None:
    import acquire_zarr as aqz

    if version != "0.5":
        raise NotImplementedError("Zarr v3 alone")
    space = aqz.DimensionType.SPACE
    kinds = {"c": (aqz.DimensionType.CHANNEL, 1), "y": (space, 100), "x": (space, 100)}
    dimensions = [
        aqz.Dimension(name=name, kind=kind, array_size_px=size, chunk_size_px=chunk, shard_size_chunks=1)
        for (name, (kind, chunk)), size in zip(kinds.items(), peers.SHAPE, strict=True)
    ]
    settings = aqz.ArraySettings(dimensions=dimensions, data_type=np.uint16)
    fields = [aqz.FieldOfView(path="0", acquisition_id=0, array_settings=settings)]
    wells = [aqz.Well(row_name=well[0], column_name=well[2:], images=fields) for well in WELLS]
    lines = {"row_names": ["A", "B"], "column_names": ["1", "2", "3"]}
    plate = aqz.Plate(path="P", name="P", wells=wells, acquisitions=[aqz.Acquisition(id=0, name="0")], **lines)
    stream = aqz.ZarrStream(aqz.StreamSettings(store_path=str(folder), hcs_plates=[plate], overwrite=True))
    for well, seed in WELLS.items():
        stream.append(pixels(seed), key=f"P/{well}/0")
    stream.close()


def ome_writers(folder: Path, version: str) -> None:
    import ome_writers as ow

    if version != "0.5":
        raise NotImplementedError("Zarr v3 alone")
    c, y, x = peers.SHAPE
    space = {"type": "space", "scale": 0.5, "unit": "micrometer", "chunk_size": 100}
    dimensions = [
        ow.Dimension(name="c", count=c, type="channel", coords=["DAPI", "GFP"]),
        ow.Dimension(name="y", count=y, **space),
        ow.Dimension(name="x", count=x, **space),
    ]
    settings = ow.AcquisitionSettings(
        root_path=str(folder), dimensions=dimensions, dtype="uint16", format="tensorstore", overwrite=True
    )
    with ow.create_stream(settings) as stream:
        for plane in pixels():
            stream.append(plane)


def openreadout(folder: Path, version: str) -> None:
    import openreadout as orr

    from openhcs.testing.synthetic import make_plate

    if version != "0.5":
        raise NotImplementedError("0.5 alone")
    source = make_plate(folder.with_name("source"), wells=("A01", "B03"), sites=1, size=(200, 300))
    orr.export(str(source), str(folder))


def yaozarrs_plate(folder: Path, version: str) -> None:
    if version != "0.5":
        raise NotImplementedError("0.5 alone")
    peers.yaozarrs_plate(folder, version)


def yaozarrs_image(folder: Path, version: str) -> None:
    if version != "0.5":
        raise NotImplementedError("0.5 alone")
    peers.yaozarrs_image(folder, version)


WRITERS = {
    "ngff-zarr plate": (peers.ngff_zarr_plate, "ngff-zarr"),
    "ngff-zarr image": (peers.ngff_zarr_image, "ngff-zarr"),
    "ome-zarr-py plate": (peers.ome_zarr_py_plate, "ome-zarr"),
    "ome-zarr-py image": (peers.ome_zarr_py_image, "ome-zarr"),
    "yaozarrs plate": (yaozarrs_plate, "yaozarrs"),
    "yaozarrs image": (yaozarrs_image, "yaozarrs"),
    "ngio plate": (ngio, "ngio"),
    "iohub plate": (iohub, "iohub"),
    "acquire-zarr plate": (acquire_zarr, "acquire-zarr"),
    "ome-writers image": (ome_writers, "ome-writers"),
    "openreadout plate": (openreadout, "openreadout"),
}
"""Writer → its function and the package that its version is of."""

if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        WRITERS[sys.argv[1]][0](Path(sys.argv[3]), sys.argv[2])

"""OME-Zarr as other tools write it: plates, images with labels, collections, made anew for each test."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (2, 200, 300)


def pixels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(100, 4000, SHAPE, "uint16")


def ngff_zarr_image(folder: Path, version: str) -> Path:
    import ngff_zarr as nz

    axes = {"dims": ["c", "y", "x"], "axes_units": {"y": "micrometer", "x": "micrometer"}}
    image = nz.to_ngff_image(pixels(), **axes, scale={"y": 0.5, "x": 0.5}, name="image")
    levels = nz.to_multiscales(image, scale_factors=[2, 4])
    nz.to_ngff_zarr(str(folder), levels, version=version)
    return folder


def ngff_zarr_plate(folder: Path, version: str) -> Path:
    import ngff_zarr as nz
    from ngff_zarr.hcs import HCSPlateWriter

    plate = nz.Plate(
        name="P",
        rows=[nz.PlateRow(name=name) for name in "AB"],
        columns=[nz.PlateColumn(name=name) for name in "123"],
        wells=[
            nz.PlateWell(path="A/1", rowIndex=0, columnIndex=0),
            nz.PlateWell(path="B/3", rowIndex=1, columnIndex=2),
        ],
        version=version,
        field_count=2,
        acquisitions=[nz.PlateAcquisition(id=0, name="0", maximumfieldcount=2)],
    )
    units = {"y": "micrometer", "x": "micrometer"}
    with HCSPlateWriter(str(folder), plate, version=version) as writer:
        for row, column in (("A", "1"), ("B", "3")):
            for site in range(2):
                image = nz.to_ngff_image(
                    pixels(site), dims=["c", "y", "x"], scale={"y": 0.5, "x": 0.5}, axes_units=units
                )
                levels = nz.to_multiscales(image, scale_factors=[2])
                writer.write_well_image(levels, row, column, field_index=site)
    return folder


def _format(version: str):
    from ome_zarr.format import FormatV04, FormatV05

    return FormatV04() if version == "0.4" else FormatV05()


def _ome_zarr_image(group, version: str, *, seed: int = 0) -> None:
    from ome_zarr.writer import write_image

    how = {"axes": "cyx", "fmt": _format(version), "scale_factors": [2, 4]}
    units = {"y": "micrometer", "x": "micrometer"}
    write_image(pixels(seed), group, **how, scale={"c": 1.0, "y": 0.5, "x": 0.5}, axes_units=units)


def ome_zarr_py_image(folder: Path, version: str) -> Path:
    import zarr
    from ome_zarr.writer import write_labels

    group = zarr.open_group(str(folder), mode="w", zarr_format=_format(version).zarr_format)
    _ome_zarr_image(group, version)
    mask = (pixels()[:1] > 2000).astype("int32")
    colors = {"colors": [{"label-value": 1, "rgba": [255, 0, 0, 255]}]}
    write_labels(
        mask, group, name="cells", axes="cyx", fmt=_format(version), scale_factors=[2, 4], scaler=None,
        label_metadata=colors,
        scale={"c": 1.0, "y": 0.5, "x": 0.5}, axes_units={"y": "micrometer", "x": "micrometer"},
    )  # fmt: skip
    return folder


def ome_zarr_py_plate(folder: Path, version: str) -> Path:
    import zarr
    from ome_zarr.writer import write_plate_metadata, write_well_metadata

    how = {"fmt": _format(version)}
    root = zarr.open_group(str(folder), mode="w", zarr_format=_format(version).zarr_format)
    write_plate_metadata(root, ["A", "B"], ["1", "2", "3"], ["A/1", "B/3"], field_count=1, name="P", **how)
    for number, path in enumerate(("A/1", "B/3")):
        well = root.require_group(path)
        write_well_metadata(well, ["0"], **how)
        _ome_zarr_image(well.require_group("0"), version, seed=number)
    return folder


def _yaozarrs_image():
    from yaozarrs import v05

    sizes = [[1.0, 0.5, 0.5], [1.0, 1.0, 1.0]]
    datasets = [
        v05.Dataset(path=str(n), coordinateTransformations=[v05.ScaleTransformation(scale=scale)])
        for n, scale in enumerate(sizes)
    ]
    axes = [v05.ChannelAxis(name="c"), *(v05.SpaceAxis(name=name, unit="micrometer") for name in "yx")]
    image = v05.Image(multiscales=[v05.Multiscale(name="image", axes=axes, datasets=datasets)])
    return image, [pixels(), pixels()[:, ::2, ::2]]


def yaozarrs_image(folder: Path, version: str) -> Path:
    from yaozarrs.write.v05 import write_image

    image, levels = _yaozarrs_image()
    write_image(folder, image, levels)
    return folder


def yaozarrs_plate(folder: Path, version: str) -> Path:
    from yaozarrs.write.v05 import write_plate

    write_plate(folder, {("A", "1", "0"): _yaozarrs_image(), ("B", "3", "0"): _yaozarrs_image()}, plate={"name": "P"})
    return folder


def yaozarrs_collection(folder: Path, version: str) -> Path:
    from yaozarrs.write.v05 import write_bioformats2raw

    write_bioformats2raw(folder, {"0": _yaozarrs_image(), "1": _yaozarrs_image()})
    return folder


def quietly(make, folder: Path, version: str) -> Path:
    """Call what writes; other people's libraries warn about one another."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(folder, version)

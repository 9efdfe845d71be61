"""Objects measured: one row for each, in pixels or micrometres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.core.special import special_inputs, special_outputs
from openhcs.errors import InvalidValue
from openhcs.steps.planes import library

if TYPE_CHECKING:
    from openhcs.steps.planes import Array

SHAPE = ("area", "centroid", "eccentricity", "axis_major_length", "axis_minor_length", "solidity")
INTENSITY = ("intensity_mean", "intensity_min", "intensity_max")


def measure_objects(stack: Array, labels: Array, pixel_size_um: float | None = None) -> dict[str, Any]:
    """Return one row for each object of each plane, by columns.

    Measured by `skimage.measure.regionprops_table`; a label that lies in several planes has a row in each.

    Parameters
    ----------
    stack
        (n, y, x), any real dtype.
    labels
        (n, y, x), integers, 0 for background.
    pixel_size_um
        side of a pixel in µm; given, areas and lengths are in µm² and µm beside those in pixels.

    Returns
    -------
    dict of arrays (rows,)
        ``plane`` (its place in the stack), ``label``, ``area_px``, ``centroid_y_px``, ``centroid_x_px``,
        ``eccentricity`` (0 a circle, towards 1 a line), ``major_axis_px``, ``minor_axis_px`` (of the ellipse with
        the same second moments), ``solidity`` (area by that of the convex hull), ``mean``, ``min``, ``max`` and
        ``sum`` of the intensity in counts; with a pixel size ``area_um2``, ``major_axis_um``, ``minor_axis_um``.

    Raises
    ------
    InvalidValue
        labels of another shape, or a pixel size that is not above 0.
    """
    if labels.shape != stack.shape:
        raise InvalidValue(f"labels of shape {labels.shape} for a stack of {stack.shape}; they go plane by plane")
    if pixel_size_um is not None and not pixel_size_um > 0:
        raise InvalidValue(f"pixel_size_um is a number of micrometres above 0, not {pixel_size_um}")
    table = library("skimage.measure").regionprops_table
    parts = [
        {"plane": number, "sums": _sums(plane, found)}
        | table(found.astype(np.int64), plane, properties=("label", *SHAPE, *INTENSITY))
        for number, (plane, found) in enumerate(zip(stack, labels, strict=True))
    ]
    rows = [_columns(part) for part in parts]
    together = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    if pixel_size_um is None:
        return together
    return together | {
        "area_um2": together["area_px"] * pixel_size_um**2,
        "major_axis_um": together["major_axis_px"] * pixel_size_um,
        "minor_axis_um": together["minor_axis_px"] * pixel_size_um,
    }


def _sums(plane: Array, labels: Array) -> Array:
    """Return the sum of a plane's values over each label, by label."""
    return np.bincount(labels.ravel().astype(np.int64), weights=plane.ravel().astype(np.float64))


def _columns(part: dict[str, Any]) -> dict[str, Array]:
    area = np.asarray(part["area"], np.int64)
    labels = np.asarray(part["label"], np.int64)
    return {
        "plane": np.full(len(area), part["plane"], np.int64),
        "label": labels,
        "area_px": area,
        "centroid_y_px": np.asarray(part["centroid-0"], np.float64),
        "centroid_x_px": np.asarray(part["centroid-1"], np.float64),
        "eccentricity": np.asarray(part["eccentricity"], np.float64),
        "major_axis_px": np.asarray(part["axis_major_length"], np.float64),
        "minor_axis_px": np.asarray(part["axis_minor_length"], np.float64),
        "solidity": np.asarray(part["solidity"], np.float64),
        "mean": np.asarray(part["intensity_mean"], np.float64),
        "min": np.asarray(part["intensity_min"], np.float64),
        "max": np.asarray(part["intensity_max"], np.float64),
        "sum": part["sums"][labels],
    }


@special_inputs("objects")
@special_outputs(measurements="table")
def measure(stack: Array, objects: Array, pixel_size_um: float | None = None) -> tuple[Array, dict[str, Any]]:
    """Return the stack as it is, and the table ``measurements`` of `measure_objects` of the labels ``objects``.

    `openhcs.steps.threshold_label` gives such labels. For labels of another name:
    ``@special_inputs("nuclei") @special_outputs(cells="table")`` above a function of your own that returns
    ``stack, measure_objects(stack, nuclei)``.
    """
    return stack, measure_objects(stack, objects, pixel_size_um)

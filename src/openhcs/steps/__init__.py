"""Built-in step functions over numpy, scipy and scikit-image (``pip install "openhcs[steps]"``).

Each takes a stack (n, y, x), treats its planes one by one, leaves it as it was and returns a new
array of its own: a filter never blurs across sites, channels or z. One that finds objects passes the
stack on and gives labels beside it; docs/steps.md lists them all.

>>> from openhcs import FunctionStep
>>> step = FunctionStep((gaussian, {"sigma": 2.0}), out="same", out_dtype="uint16")
"""

from __future__ import annotations

from openhcs.steps.combining import combine_illumination, composite, flat_field, illumination_sums
from openhcs.steps.filters import gaussian, percentile_normalize, white_tophat
from openhcs.steps.measuring import measure, measure_objects
from openhcs.steps.projections import max_projection, mean_projection
from openhcs.steps.segmentation import threshold_label

__all__ = [
    "combine_illumination",
    "composite",
    "flat_field",
    "gaussian",
    "illumination_sums",
    "max_projection",
    "mean_projection",
    "measure",
    "measure_objects",
    "percentile_normalize",
    "threshold_label",
    "white_tophat",
]

"""Every kind of damage that validate must find."""

from __future__ import annotations

import damage_arrays  # noqa: F401
import damage_images  # noqa: F401
import damage_labels  # noqa: F401
import damage_plates  # noqa: F401
from damage_table import KINDS, LABELS

__all__ = ["KINDS", "LABELS"]

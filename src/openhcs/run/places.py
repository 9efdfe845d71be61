"""Where the images of a target lie in a well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhcs.ngff.naming import image_paths

if TYPE_CHECKING:
    from openhcs.plan.parts import Target


def target_paths(target: Target) -> dict[tuple[int, int], str]:
    """Return the group name of each site image of a target, by (acquisition, site)."""
    return image_paths({number: axes[0] for number, axes in target.layer.axes.items()})

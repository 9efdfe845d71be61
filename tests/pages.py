"""Code blocks out of pages, as they are written."""

from __future__ import annotations

import re
import textwrap
from itertools import takewhile


def rst_blocks(text: str) -> list[str]:
    """Return the Python blocks of a reStructuredText page, dedented."""
    parts = text.split(".. code-block:: python\n")[1:]
    inside = lambda line: not line.strip() or line.startswith("    ")  # noqa: E731
    return [textwrap.dedent("\n".join(takewhile(inside, part.split("\n")))).strip() for part in parts]


def markdown_blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a Markdown page that are in one language."""
    return [body.strip() for body in re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]

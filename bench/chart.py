"""The figures as a picture (SVG): how far each is from its target, and how long each converter takes."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

WIDTH, LEFT, LINE, HEAD = 900, 470, 20, 46
OURS, OTHER, OVER = "#2b6cb0", "#a0aec0", "#c05621"
PEERS = "peers"
"""The section whose rows are drawn as bars of seconds."""


def draw(found: dict[str, Any]) -> str:
    """Return the picture of what `bench` found."""
    targets = [row for row in found["rows"] if row["met"] is not None]
    seconds = [row for row in found["rows"] if row["section"] == PEERS and row["unit"] == "s"]
    parts = [*_panel("Against the target (shorter is better; the line is the target)", _against(targets), 0, line=1.0)]
    height = HEAD + LINE * len(targets) + 24
    if seconds:
        bars = [(row["name"], row["value"], f"{row['value']:.2f} s", _colour(row)) for row in seconds]
        parts += _panel("Seconds to convert the same plate", bars, height)
        height += HEAD + LINE * len(seconds) + 24
    machine = found["machine"]
    told = f"{machine['date']}, {machine['cores']} cores of {machine['processor']}, {machine['file_system']}"
    parts.append(f'<text x="12" y="{height + 4}" fill="#718096">{escape(told)}</text>')
    style = "font: 12px system-ui, sans-serif"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height + 16}" style="{style}">'
    ground = f'<rect width="{WIDTH}" height="{height + 16}" fill="white"/>'
    return "\n".join([head, ground, *parts, "</svg>", ""])


def _against(rows: list[dict[str, Any]]) -> list[tuple[str, float, str, str]]:
    """Return each figure by its target: below 1 is better than that."""
    bars = []
    for row in rows:
        sign, _, target = row["target"].rpartition(" ")
        limit = float(target.rpartition("–")[2])
        share = limit / max(row["value"], 1e-9) if sign == "≥" else row["value"] / limit
        told = f"{row['value']:.3g} {row['unit']} ({row['target']})"
        bars.append((f"{row['section']}: {row['name']}", share, told, OURS if row["met"] else OVER))
    return bars


def _colour(row: dict[str, Any]) -> str:
    return OURS if row["name"].startswith("openhcs") else OTHER


def _panel(title: str, bars: list[tuple[str, float, str, str]], top: int, line: float | None = None) -> list[str]:
    room = WIDTH - LEFT - 150
    longest = max([value for _, value, _, _ in bars] + [line or 0.0, 1e-9])
    scale = room / (min(longest, 2.0) if line else longest)
    parts = [f'<text x="12" y="{top + 26}" font-weight="bold">{escape(title)}</text>']
    for number, (name, value, told, colour) in enumerate(bars):
        y = top + HEAD + LINE * number
        width = min(value * scale, room)
        parts.append(f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="14" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + width + 6:.1f}" y="{y + 11}" fill="#4a5568">{escape(told)}</text>')
    if line and bars:
        x, bottom = LEFT + line * scale, top + HEAD + LINE * len(bars)
        parts.append(f'<line x1="{x:.1f}" y1="{top + HEAD - 6}" x2="{x:.1f}" y2="{bottom}" stroke="#1a202c"/>')
    return parts

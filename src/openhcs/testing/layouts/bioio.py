"""A Leica image file (LIF) of a whole plate: a scene for each site, named as ``A01/R1``.

A LIF is an XML header and memory blocks, each with a mark, its size and its name.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import numpy as np

from openhcs.testing.scene import PIXEL_UM, Z_STEP_UM

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from openhcs.testing.scene import Scene, Wanted

    Array = np.ndarray[Any, np.dtype[Any]]

BLOCK, TEXT = 0x70, 0x2A
STEPS_UM = {"x": PIXEL_UM, "y": PIXEL_UM, "z": Z_STEP_UM, "t": 0.0}


def write(plate: Wanted, scene: Scene, root: Path) -> None:
    """Write the plate's one file; planes that are to be left out are zeros in it."""
    shape = (plate.t, plate.z, len(plate.channels), *plate.size)
    images: dict[str, dict[str, Array]] = {}
    for well, site, channel, z, t in plate.planes():
        stack = images.setdefault(well, {}).setdefault(f"R{site}", np.zeros(shape, np.uint16))
        if (well, site, channel, z, t) not in plate.left_out:
            stack[t - 1, z - 1, channel - 1] = scene.plane(well, site, channel, z, t)
    (root / f"{plate.name}.lif").write_bytes(encode_lif(images, plate.channels))


def encode_lif(wells: Mapping[str, Mapping[str, Array]], channels: tuple[str, ...]) -> bytes:
    """Return a LIF of images (t, z, c, y, x) by well and name, uint8 or uint16."""
    elements: list[str] = []
    blocks: list[bytes] = []
    for well, images in wells.items():
        inner = []
        for name, stack in images.items():
            block = f"MemBlock_{len(blocks)}"
            inner.append(_image(name, stack, channels, block))
            blocks.append(_block(block, stack.astype(stack.dtype.newbyteorder("<")).tobytes()))
        elements.append(f"<Element Name={quoteattr(well)}><Data/><Children>{''.join(inner)}</Children></Element>")
    text = f'<LMSDataContainerHeader Version="2"><Element Name="made up"><Children>{"".join(elements)}</Children>'
    header = f"{text}</Element></LMSDataContainerHeader>".encode("utf-16-le")
    head = struct.pack("<IIBI", BLOCK, 5 + len(header), TEXT, len(header) // 2)
    return b"".join([head, header, *blocks])


def _image(name: str, stack: Array, channels: tuple[str, ...], block: str) -> str:
    t, z, c, y, x = (int(step) for step in stack.strides)
    told = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{8 * stack.itemsize}" NameOfMeasuredQuantity="" '
        f'Min="0" Max="1" Unit="" LUTName={quoteattr(channel)} IsLUTInverted="0" BytesInc="{number * c}" BitInc="0"/>'
        for number, channel in enumerate(channels)
    )
    sizes = dict(zip("tzcyx", stack.shape, strict=True))
    steps = {"x": x, "y": y, "z": z, "t": t}
    told_dims = "".join(
        f'<DimensionDescription DimID="{number}" NumberOfElements="{sizes[axis]}" Origin="0" '
        f'Length="{(sizes[axis] - 1) * STEPS_UM[axis] * 1e-6!r}" Unit="m" BytesInc="{steps[axis]}" BitInc="0"/>'
        for number, axis in enumerate("xyzt", start=1)
        if axis in "xy" or sizes[axis] > 1
    )
    return (
        f"<Element Name={quoteattr(name)}><Data><Image><ImageDescription><Channels>{told}</Channels><Dimensions>"
        f'{told_dims}</Dimensions></ImageDescription></Image></Data><Memory Size="{stack.nbytes}" '
        f'MemoryBlockID="{block}"/></Element>'
    )


def _block(name: str, data: bytes) -> bytes:
    text = name.encode("utf-16-le")
    head = struct.pack("<BQBI", TEXT, len(data), TEXT, len(name)) + text
    return struct.pack("<II", BLOCK, len(head)) + head + data

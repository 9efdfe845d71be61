"""Hostile values and TIFFs, made by hand."""

from __future__ import annotations

import struct
import zipfile
import zlib

import hostile_parts as p
from hostile_cases import DEEP, HEAD, Case, fifo, folder_instead, image, laughs, linked, load, unix_socket

OME_XML = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
    'DimensionOrder="XYZCT" Type="uint16" SizeX="16" SizeY="16" SizeC="1" SizeZ="{z}" SizeT="1">'
    '<TiffData IFD="0" FirstZ="0"><UUID FileName="{name}">urn:uuid:1</UUID></TiffData></Pixels></Image></OME>'
)
IFDS = {
    "of which the pages go round": p.tiff_loop,
    "whose next page lies past the end": lambda: p.tiff(next_ifd=2**32 - 2),
    "of a million million pixels": lambda: p.tiff({256: ("I", [10**6]), 257: ("I", [10**6])}),
    "of the largest sides": lambda: p.tiff({256: ("I", [2**32 - 1]), 257: ("I", [2**32 - 1])}),
    "of no pixels": lambda: p.tiff({256: ("I", [0]), 257: ("I", [0])}),
    "without strips": lambda: p.tiff({273: None, 279: None}),
    "with more strips than sizes": lambda: p.tiff({273: ("I", [16] * 4), 278: ("I", [4])}),
    "whose strip lies past the end": lambda: p.tiff({273: ("I", [2**31])}),
    "whose strip is longer than the file": lambda: p.tiff({279: ("I", [2**31])}),
    "whose strip is empty": lambda: p.tiff({279: ("I", [0])}),
    "whose strip is a bomb": lambda: p.tiff({259: ("H", [8])}, pixels=p.deflate_bomb(15)),
    "whose zstd strip is a bomb": lambda: p.tiff({259: ("H", [50000])}, pixels=p.zstd_bomb(sized=True)),
    "whose LZW strip is noise": lambda: p.tiff({259: ("H", [5])}, pixels=bytes(range(256))),
    "whose JPEG strip is noise": lambda: p.tiff({259: ("H", [7])}, pixels=b"\xff\xd8\xff\xe0" * 99),
    "whose LERC strip is noise": lambda: p.tiff({259: ("H", [34887])}, pixels=b"Lerc2 " * 99),
    "of an unknown codec": lambda: p.tiff({259: ("H", [61000])}),
    "with rows of no height": lambda: p.tiff({278: ("I", [0])}, pixels=b"ab"),
    "with tiles of no size": lambda: p.tiff(
        {273: None, 278: None, 279: None, 322: ("I", [0]), 323: ("I", [0]), 324: ("I", [16]), 325: ("I", [512])}
    ),
    "with tiles of 4 GB": lambda: p.tiff(
        {
            273: None,
            278: None,
            279: None,
            322: ("I", [2**16]),
            323: ("I", [2**15]),
            324: ("I", [16]),
            325: ("I", [512]),
            259: ("H", [8]),
        },
        pixels=p.deflate_bomb(15),
    ),
    "with a million million tiles": lambda: p.tiff(
        {
            256: ("I", [2**24]),
            257: ("I", [2**24]),
            273: None,
            278: None,
            279: None,
            322: ("I", [16]),
            323: ("I", [16]),
            324: ("I", [16]),
            325: ("I", [512]),
        }
    ),
    "of samples without bits": lambda: p.tiff({258: ("H", [0])}),
    "of samples of 65535 bits": lambda: p.tiff({258: ("H", [65535])}),
    "of 65535 samples": lambda: p.tiff({277: ("H", [65535])}),
    "whose text is past the end": lambda: p.tiff({270: ("s", b"x" * 99)})[:-90],
    "of which other directories go round": lambda: p.tiff(
        {330: ("I", [struct.unpack_from("<I", p.tiff(), 4)[0]])}, next_ifd=0
    )[:-1],
    "that names the outside as its pixels": lambda: p.tiff(
        {270: ("s", OME_XML.format(z=2, name="../../outside/secret.tif").encode() + b"\0")}
    ),
    "that is said to have a thousand million planes": lambda: p.tiff(
        {270: ("s", OME_XML.format(z=10**9, name="victim.tif").encode() + b"\0")}
    ),
    "with entities in its text": lambda: p.tiff({270: ("s", HEAD + laughs() + b"<OME>&a11;</OME>\0")}),
    "of ImageJ with a thousand million images": lambda: p.tiff(
        {270: ("s", b"ImageJ=1.53\nimages=1000000000\nslices=1000000000\nhyperstack=true\n\0")}
    ),
    "said to be of another shape": lambda: p.tiff({270: ("s", b'{"shape": [1000000000000, 16, 16]}\0')}),
    "of a negative shape": lambda: p.tiff({270: ("s", b'{"shape": [-16, -16]}\0')}),
    "with a chain of 100,000 pages": lambda: p.tiff_chain(DEEP),
    "of a predictor nobody knows": lambda: p.tiff(
        {317: ("H", [60000]), 259: ("H", [8])}, pixels=zlib.compress(p.PIXELS.tobytes())
    ),
    "large, with offsets past all ends": lambda: p.tiff({273: ("Q", [2**63]), 279: ("Q", [2**63])}, big=True),
    "large, of 2**60 strips": lambda: p.tiff({256: ("Q", [2**40]), 257: ("Q", [2**40]), 278: ("Q", [1])}, big=True),
}
MAY_BE_READ = {
    "of which other directories go round",
    "that names the outside as its pixels",
    "with entities in its text",
    "with more strips than sizes",
    "of ImageJ with a thousand million images",
    "said to be of another shape",
    "of a negative shape",
    "with a chain of 100,000 pages",
    "that is said to have a thousand million planes",
    "of which the pages go round",
    "whose next page lies past the end",
    "with tiles of 4 GB",
    "with rows of no height",
    "whose text is past the end",
    "of 65535 samples",
    "whose strip is longer than the file",
    "whose strip is empty",
    "whose LZW strip is noise",
}
"""TIFFs whose first page is whole, or of which some question may lawfully be answered."""
FORMS = ("as a value", "opened", "in a plate")
TIFFS = {
    f"a TIFF {what}, {form}": Case(
        build, named="s2" if form == "in a plate" else "victim.tif", lawful=what in MAY_BE_READ
    )
    for what, data in IFDS.items()
    for form, build in zip(FORMS, image(data), strict=True)
}
VALUES = {
    "an NPY of pickled objects": Case(load(p.pickled(), ".npy"), "victim.npy"),
    "an NPY whose header is code": Case(load(p.npy("__import__('os').system('touch code-ran')"), ".npy"), "victim.npy"),
    "an NPY whose header calls a method": Case(
        load(p.npy_of("(1,).__class__.__base__.__subclasses__()"), ".npy"), "victim.npy"
    ),
    "an NPY whose header nests deep": Case(load(p.npy("(" * 9000), ".npy"), "victim.npy"),
    "an NPY of 10**12 pixels": Case(load(p.npy_of("(1000000, 1000000)"), ".npy"), "victim.npy"),
    "an NPY whose size overflows": Case(load(p.npy_of("(4294967296, 4294967296)"), ".npy"), "victim.npy"),
    "an NPY of 10**12 empty items": Case(
        load(p.npy_of("(1000000000000,)", descr="'|V0'"), ".npy"), "victim.npy", lawful=True
    ),
    "an NPY of a negative side": Case(load(p.npy_of("(-1, -2)", b"1234"), ".npy"), "victim.npy"),
    "an NPY of sides that are no numbers": Case(load(p.npy_of("(2.0, True)", b"1234"), ".npy"), "victim.npy"),
    "an NPY of ten thousand axes": Case(load(p.npy_of("(" + "1," * 3000 + ")", b"12"), ".npy"), "victim.npy"),
    "an NPY whose header is 4 GB long": Case(load(p.npy("{}", version=(2, 0), length=2**32 - 1), ".npy"), "victim.npy"),
    "an NPY of a version to come": Case(load(p.npy("{}", version=(9, 9)), ".npy"), "victim.npy"),
    "an NPY of dtypes in dtypes": Case(
        load(p.npy_of("()", descr="[('a', " * 300 + "'<u2'" + ")]" * 300), ".npy"), "victim.npy"
    ),
    "an NPZ of pickled objects": Case(load(p.npz([("a.npy", p.pickled())]), ".npz"), "victim.npz"),
    "an NPZ of a name that leads out": Case(
        load(p.npz([("../../outside/new.npy", p.good_npy())]), ".npz"), lawful=True
    ),
    "an NPZ with two arrays of one name": Case(load(p.npz([("a.npy", p.good_npy())] * 2), ".npz"), "victim.npz"),
    "an NPZ of something else": Case(load(p.npz([("a.py", b"import os")]), ".npz"), "victim.npz"),
    "an NPZ that is locked": Case(
        load(lambda path: path.write_bytes(p.npz_patched(b"PK\1\2", 8, b"\1\0")), ".npz"), "victim.npz"
    ),
    "an NPZ that claims 4 GB": Case(
        load(lambda path: path.write_bytes(p.npz_patched(b"PK\1\2", 24, b"\xff\xff\xff\x7f")), ".npz"), "victim.npz"
    ),
    "an NPZ that claims less than it holds": Case(
        load(lambda path: path.write_bytes(p.npz_understated()), ".npz"), "victim.npz"
    ),
    "an NPZ packed by LZMA": Case(load(p.npz([("a.npy", p.good_npy())], zipfile.ZIP_LZMA), ".npz"), "victim.npz"),
    "JSON 100,000 deep": Case(load(b"[" * DEEP + b"]" * DEEP, ".json"), "victim.json"),
    "JSON objects 100,000 deep": Case(load(b'{"a":' * DEEP + b"1" + b"}" * DEEP, ".json"), "victim.json"),
    "JSON with a number of a million digits": Case(load(b"[" + b"9" * 10**6 + b"]", ".json"), "victim.json"),
    "JSON of 300 MB": Case(load(lambda path: p.sparse(path, 300 * p.MB, b"["), ".json"), "victim.json"),
    "JSON of half a character": Case(load(b'["\xff\xfe\xd8"]', ".json"), "victim.json"),
    "CSV of 300 MB": Case(load(lambda path: p.sparse(path, 300 * p.MB, b"a,b\n"), ".csv"), "victim.csv"),
    "CSV with a quote that never ends": Case(load(b'a\n"' + b'""' * 10**6, ".csv"), "victim.csv"),
    "CSV with a field of 20 MB": Case(load(b"a\n" + b"x" * (20 * p.MB), ".csv"), lawful=True),
    "CSV of 100,000 columns of one name": Case(load(b"a," * 10**5 + b"a\n", ".csv"), "victim.csv"),
    "CSV with rows of other lengths": Case(load(b"a,b\n1\n", ".csv"), "victim.csv"),
    "CSV of which each text is said to take 256 KB": Case(
        load(b'"a"\n' + b'"x"\n' * 20_000, ".csv", beside=b'{"rows": false, "types": {"a": "U65536"}}'), "victim.csv"
    ),
    "CSV of which types are code": Case(
        load(b'"a"\n"x"\n', ".csv", beside=b'{"rows": false, "types": {"a": "O"}}'), "victim.csv"
    ),
    "Parquet of noise between its marks": Case(
        load(b"PAR1" + bytes(range(256)) * 40 + struct.pack("<I", 5000) + b"PAR1", ".parquet"), "victim.parquet"
    ),
    "Parquet whose end lies before its start": Case(
        load(b"PAR1" + b"\xff" * 8 + struct.pack("<I", 2**31) + b"PAR1", ".parquet"), "victim.parquet"
    ),
    "a PNG of 2**31 by 2**31": Case(load(p.png(2**31 - 1, 2**31 - 1), ".png"), "victim.png"),
    "a PNG of 10**5 by 10**5": Case(load(p.png(10**5, 10**5), ".png"), "victim.png"),
    "a PNG of no pixels": Case(load(p.png(0, 0), ".png"), "victim.png"),
    "a PNG of a colour nobody knows": Case(load(p.png(9, 9, colour=9), ".png"), "victim.png"),
    "a PNG whose profile is a bomb": Case(
        load(p.png(10, 10, chunks=[(b"iCCP", b"a\0\0" + p.deflate_bomb(15))]), ".png"), lawful=True
    ),
    "a PNG whose text is a bomb": Case(
        load(p.png(10, 10, chunks=[(b"zTXt", b"a\0\0" + p.deflate_bomb(15))]), ".png"), lawful=True
    ),
    "a pipe named as a value": Case(load(fifo, ".npy"), "victim.npy"),
    "a socket named as a value": Case(load(unix_socket, ".json"), "victim.json"),
    "a folder named as a value": Case(load(folder_instead, ".tif"), "victim.tif"),
    "a device named as a value": Case(load(linked("/dev/zero"), ".npy"), "victim.npy"),
    "a link to itself": Case(load(linked("victim.npy"), ".npy"), "victim.npy"),
    "a link that leads out": Case(load(linked("../outside/secret.npy"), ".npy"), "victim.npy"),
}

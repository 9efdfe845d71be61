"""Hostile ImageXpress plates, made by hand: HTDs, descriptions, documents and tables of HCS.ai."""

from __future__ import annotations

import hostile_parts as p
from hostile_cases import Case, changed, plate_of, replaced, told
from openhcs.testing.scene import encode_tiff

DOCUMENT, TABLE = "experiment/hcsai.jdce", "experiment/image_metadata_1.csv"
HTD, FIRST = "imagexpress.HTD", "TimePoint_1/imagexpress_A01_s1_w1.TIF"


def protocol(**more):
    """Change what a document says of how the plate was recorded."""
    return told(lambda found: found["ImageStack"]["AutoLeadAcquisitionProtocol"].update(more))


def tables(*names):
    return told(lambda found: found["ImageStack"].update(ImageMetadataFiles=list(names)))


def hcsai(path, change, named="", *, lawful=False):
    return Case(changed("hcsai", path, change), named, lawful=lawful)


IMAGEXPRESS = {
    "a .jdce 100,000 deep": hcsai(DOCUMENT, lambda path: path.write_bytes(b"[" * 100_000), ".jdce"),
    "a .jdce of 300 MB": hcsai(DOCUMENT, lambda path: p.sparse(path, 300 * p.MB, b'{"ImageStack": '), ".jdce"),
    "a .jdce of 3,000,000 values": hcsai(
        DOCUMENT, lambda path: path.write_bytes(b"[" + b"0," * 3 * 10**6 + b"0]"), ".jdce"
    ),
    "a .jdce in another encoding": hcsai(DOCUMENT, replaced("µ".encode(), b"\xb5"), ".jdce"),
    "a .jdce of nothing but names": hcsai(DOCUMENT, lambda path: path.write_bytes(b'{"ImageStack": 3}'), ".jdce"),
    "a .jdce of 10**9 time points": hcsai(
        DOCUMENT, protocol(PlateMap={"TimeSchedule": {"Enabled": True, "NumberOfTimepoints": 10**9}}), lawful=True
    ),
    "a .jdce of 100,000 time points": hcsai(
        DOCUMENT, protocol(PlateMap={"TimeSchedule": {"Enabled": True, "NumberOfTimepoints": 100_000}}), ".jdce"
    ),
    "a .jdce of 10**6 rows": hcsai(DOCUMENT, protocol(Plate={"Rows": 10**6, "Columns": 10**6}), lawful=True),
    "a .jdce of 1,000,000 wavelengths": hcsai(DOCUMENT, protocol(Wavelengths=[{"Index": 7}] * 10**6), lawful=True),
    "a .jdce of images of 10**6 by 10**6": hcsai(
        DOCUMENT, protocol(Camera={"Size": {"Width": 10**6, "Height": 10**6}}), lawful=True
    ),
    "a .jdce whose numbers are words": hcsai(
        DOCUMENT, protocol(Plate="x", Camera=[], ObjectiveCalibration={"PixelWidth": "1", "Unit": []}), lawful=True
    ),
    "a .jdce that names a table outside": hcsai(DOCUMENT, tables("../../../outside/secret.txt"), ".jdce"),
    "a .jdce that names an image as its table": hcsai(DOCUMENT, tables("timepoint0/scan_t0_A01_s0_w0_z0.tif"), ".tif"),
    "a .jdce that names itself as its table": hcsai(DOCUMENT, tables("hcsai.jdce"), ".jdce"),
    "a .jdce of 100,000 tables that are not there": hcsai(DOCUMENT, tables(*map(str, range(100_000))), lawful=True),
    "a table that names files outside": hcsai(TABLE, replaced(b",timepoint0,", b",../../../outside,"), lawful=True),
    "a table that names an absolute path": hcsai(TABLE, replaced(b",scan_t0", b",/etc/passwd"), lawful=True),
    "a table of site 10**9": hcsai(TABLE, replaced(b",1,1,0,0,0,0,", b",1,1,1000000000,0,0,0,"), ".csv"),
    "a table of a number of a million digits": hcsai(
        TABLE, replaced(b",1,1,0,", b",1,1," + b"9" * 10**6 + b","), ".csv"
    ),
    "a table of a field of 20 MB": hcsai(TABLE, replaced(b"scan_t0", b'"' + b"x" * (20 * p.MB)), ".csv"),
    "a table of 1,000,000 columns": hcsai(TABLE, replaced(b"Well,", b"Well," + b"a," * 10**6), ".csv"),
    "a table of zeros": hcsai(TABLE, lambda path: path.write_bytes(bytes(10**6)), ".csv"),
    "a table in another encoding": hcsai(TABLE, replaced(b"scan_t0", b"\xb5_t0"), ".csv"),
    "a table that is an image": hcsai(TABLE, lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64)), ".csv"),
    "an HTD of a million lines": Case(
        changed("imagexpress", HTD, replaced(b'"EndFile"', b'"Key", 1\r\n' * 10**6 + b'"EndFile"')), lawful=True
    ),
    "an HTD whose text has no end": Case(
        changed("imagexpress", HTD, replaced(b'"made up"', b'"' + b"x" * (2 * p.MB))), lawful=True
    ),
    "an HTD of other lines": Case(changed("imagexpress", HTD, replaced(b"\r\n", b"\x85")), ".HTD", lawful=True),
    "a description of a million properties": Case(
        changed(
            "imagexpress",
            FIRST,
            lambda path: path.write_bytes(encode_tiff(p.PIXELS, '<prop id="a" type="b" value="1"/>' * 10**6)),
        ),
        lawful=True,
    ),
    "names of a thousand wells each": Case(
        plate_of({"_A01" * 50 + f"_s{site}_w1.tif": b"" for site in range(100)}), lawful=True
    ),
    "time points in time points": Case(
        plate_of({"TimePoint_1/" * 40 + f"P_A01_s{site}.tif": b"" for site in range(5)}), lawful=True
    ),
}

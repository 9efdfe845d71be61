"""Hostile plates, names, configurations and ledgers, made by hand."""

from __future__ import annotations

import numpy as np

import hostile_parts as p
from hostile_calls import Names
from hostile_cases import (
    DEEP,
    HEAD,
    Case,
    asked,
    by_name,
    changed,
    fifo,
    folder_instead,
    foreign,
    laughs,
    ledger,
    linked,
    ome,
    plate_of,
    replaced,
    saved,
    told,
    unix_socket,
)
from openhcs import FileManager, GlobalPipelineConfig
from openhcs.core.wells import select_wells
from openhcs.microscopes import detect
from openhcs.microscopes.patterns import Pattern

INDEX = "Images/Index.idx.xml"
RECORDS = "MeasurementData.mlf"
WELL, SITE, ROOT, LEVEL = "A/01/zarr.json", "A/01/0/zarr.json", "zarr.json", "A/01/0/0/zarr.json"
PLATES = {
    "an index of entities in entities": Case(
        changed("phenix", INDEX, replaced(b"<EvaluationInputData", laughs() + b"<EvaluationInputData")), "Index.idx.xml"
    ),
    "an index that takes in a file": Case(
        changed(
            "phenix",
            INDEX,
            replaced(
                b"<EvaluationInputData",
                b'<!DOCTYPE a [<!ENTITY x SYSTEM "../../../outside/secret.txt">]><EvaluationInputData',
            ),
        ),
        "Index.idx.xml",
    ),
    "an index 1,000,000 deep": Case(
        changed("phenix", INDEX, replaced(b"<Wells>", b"<Wells>" + b"<a>" * 10**6)), "Index.idx.xml"
    ),
    "an index with an attribute of 20 MB": Case(
        changed("phenix", INDEX, replaced(b"<Wells>", b'<Wells a="' + b"x" * (20 * p.MB) + b'">')), lawful=True
    ),
    "an index of 300 MB": Case(
        changed("phenix", INDEX, lambda path: p.sparse(path, 300 * p.MB, HEAD + b"<EvaluationInputData>")),
        "Index.idx.xml",
    ),
    "an index that names a file outside": Case(
        changed("phenix", INDEX, replaced(b"<URL>r", b"<URL>../../../outside/secret.tif</URL><URL>../../../outside/r")),
        "Index.idx.xml",
        lawful=True,
    ),
    "an index that names an absolute path": Case(
        changed("phenix", INDEX, replaced(b"<URL>", b"<URL>/etc/passwd")), "Index.idx.xml", lawful=True
    ),
    "an index of a well in row 10**9": Case(
        changed("phenix", INDEX, replaced(b"<Row>1<", b"<Row>1000000000<")), "Index.idx.xml"
    ),
    "an index of 10**6 time points": Case(
        changed("phenix", INDEX, replaced(b"<TimepointID>0<", b"<TimepointID>999999<", count=1)),
        "Index.idx.xml",
        lawful=True,
    ),
    "an index of images of 10**6 by 10**6": Case(
        changed("phenix", INDEX, replaced(b"<ImageSizeX>20<", b"<ImageSizeX>1000000<")), "", lawful=True
    ),
    "an index that is a pipe": Case(changed("phenix", INDEX, fifo), lawful=True),
    "records of entities in entities": Case(
        changed("cellvoyager", RECORDS, replaced(b"<bts:MeasurementData", laughs() + b"<bts:MeasurementData", count=1)),
        RECORDS,
    ),
    "records 1,000,000 deep": Case(
        changed("cellvoyager", RECORDS, replaced(b"</bts:MeasurementData>", b"<a>" * 10**6)), RECORDS
    ),
    "records that name a file outside": Case(
        changed("cellvoyager", RECORDS, replaced(b">cellvoyager_", b">../outside/secret.tif")), "", lawful=True
    ),
    "records of field 10**6": Case(
        changed("cellvoyager", RECORDS, replaced(b'FieldIndex="1"', b'FieldIndex="1000000"', count=1)), "", lawful=True
    ),
    "records of 600 MB": Case(
        changed("cellvoyager", RECORDS, lambda path: p.sparse(path, 600 * p.MB, HEAD + b"<bts:MeasurementData>")),
        RECORDS,
    ),
    "a setting of 10**10 planes": Case(
        changed(
            "cellvoyager",
            "cellvoyager.mes",
            replaced(
                b"<bts:ActionAcquire ",
                b'<bts:ActionAcquire bts:TopDistance="9e9" bts:BottomDistance="0" bts:SliceLength="1" ',
            ),
        ),
        "cellvoyager.mes",
    ),
    "an HTD of 10**10 sites": Case(
        changed(
            "imagexpress",
            "imagexpress.HTD",
            lambda path: path.write_bytes(
                path.read_bytes()
                .replace(b'"XSites", 1', b'"XSites", 100000')
                .replace(b'"YSites", 1', b'"YSites", 100000')
                .replace(b'"SiteSelection1", TRUE', b'"Nothing", 1')
            ),
        ),
        ".HTD",
    ),
    "an HTD of 10**10 planes": Case(
        changed(
            "imagexpress",
            "imagexpress.HTD",
            lambda path: path.write_bytes(
                path.read_bytes()
                .replace(b'"TimePoints", 1', b'"TimePoints", 100000')
                .replace(b'"ZSeries", FALSE', b'"ZSeries", TRUE\r\n"ZSteps", 100000')
            ),
        ),
        ".HTD",
    ),
    "an HTD of a plate of 64 by 64": Case(
        changed(
            "imagexpress",
            "imagexpress.HTD",
            lambda path: path.write_bytes(
                path.read_bytes()
                .replace(b'"XWells", ', b'"XWells", 64\r\n"X", ')
                .replace(b'"YWells", ', b'"YWells", 64\r\n"Y", ')
            ),
        ),
        lawful=True,
    ),
    "an HTD of a number of a million digits": Case(
        changed("imagexpress", "imagexpress.HTD", replaced(b'"TimePoints", 1', b'"TimePoints", ' + b"9" * 10**6)),
        ".HTD",
    ),
    "an HTD of 300 MB": Case(
        changed(
            "imagexpress", "imagexpress.HTD", lambda path: p.sparse(path, 300 * p.MB, b'"HTSInfoFile", Version 1.0\r\n')
        ),
        ".HTD",
    ),
    "an image that links to itself": Case(
        changed("imagexpress", "TimePoint_1/imagexpress_A01_s1_w1.TIF", linked("imagexpress_A01_s1_w1.TIF")),
        lawful=True,
    ),
    "an image that is a pipe": Case(changed("imagexpress", "TimePoint_1/imagexpress_A01_s1_w1.TIF", fifo), lawful=True),
    "an image that is a socket": Case(
        changed("imagexpress", "TimePoint_1/imagexpress_A01_s1_w1.TIF", unix_socket), lawful=True
    ),
    "an image that is a folder": Case(
        changed("imagexpress", "TimePoint_1/imagexpress_A01_s1_w1.TIF", folder_instead), lawful=True
    ),
    "an image that is a device": Case(
        changed("imagexpress", "TimePoint_1/imagexpress_A01_s1_w1.TIF", linked("/dev/zero")), lawful=True
    ),
    "a folder that links to itself": Case(changed("imagexpress", "TimePoint_1/again", linked("..")), lawful=True),
    "a folder of images outside": Case(changed("imagexpress", "TimePoint_1", linked("../../outside")), lawful=True),
    "a plate of names nobody should use": Case(
        plate_of(
            {
                f"A01_s1_c{n}_z1_t1{odd}.tif": p.tiff()
                for n, odd in enumerate(("", "\n", "\u202e", "\x7f", " ", "é" * 80), 1)
            }
        ),
        lawful=True,
    ),
    "a plate of names that differ in case": Case(
        plate_of({"A01_s1_c1_z1_t1.tif": p.tiff(), "a01_S1_c1_z1_t1.TIF": p.tiff()}), lawful=True
    ),
    "a plate of numbers of 30 digits": Case(
        plate_of({f"A01_s{'9' * 30}_c1_z1_t1.tif": p.tiff(), "A01_s1_c1_z1_t1.tif": p.tiff()}), lawful=True
    ),
    "a plate of far numbers": Case(
        plate_of({f"A01_s1_c{n}_z{n}_t{n}.tif": p.tiff() for n in (1, 9999, 99_999, 999_999, 9_999_999)}), lawful=True
    ),
    "a plate of names that are not UTF-8": Case(
        plate_of({"A01_s1_c1_z1_t1.tif": p.tiff(), "A01_s1_c2_z1_t1\udcff.tif": p.tiff()}), lawful=True
    ),
    "an OME-Zarr plate of 10**6 wells": Case(
        ome(
            ROOT,
            lambda one: one["plate"].update(
                wells=[{"path": f"A/{n}", "rowIndex": 0, "columnIndex": 0} for n in range(10**5)]
            ),
        ),
        lawful=False,
    ),
    "an OME-Zarr plate of 10**5 columns": Case(
        ome(ROOT, lambda one: one["plate"].update(columns=[{"name": f"{n:06d}"} for n in range(10**5)])), lawful=False
    ),
    "an OME-Zarr well outside": Case(
        ome(ROOT, lambda one: one["plate"]["wells"][0].update(path="../../outside")), "../../outside"
    ),
    "an OME-Zarr well at an absolute path": Case(
        ome(ROOT, lambda one: one["plate"]["wells"][0].update(path="/etc")), lawful=True
    ),
    "an OME-Zarr site outside": Case(
        ome(WELL, lambda one: one["well"]["images"][0].update(path="../../../../outside")), "A/01"
    ),
    "an OME-Zarr well of 10**5 sites": Case(
        ome(WELL, lambda one: one["well"].update(images=[{"path": str(n)} for n in range(10**5)])), "A/01"
    ),
    "an OME-Zarr level outside": Case(
        ome(SITE, lambda one: one["multiscales"][0]["datasets"][0].update(path="../../../../../outside/array")),
        "A/01/0",
    ),
    "an OME-Zarr image of 10**9 z planes": Case(
        changed("ome0.5/images.zarr", LEVEL, told(lambda one: one.update(shape=[10**9, *one["shape"][1:]]))), "A/01/0"
    ),
    "a foreign OME-Zarr image of 10**9 z planes, by name": Case(
        by_name(changed("ome0.5/images.zarr", "A/01/0", foreign)), "A/01/0"
    ),
    "a foreign OME-Zarr image of 10**9 z planes": Case(changed("ome0.5/images.zarr", "A/01/0", foreign), "A/01/0"),
    "an OME-Zarr image of planes of 2 TB": Case(
        changed("ome0.5/images.zarr", LEVEL, told(lambda one: one.update(shape=[*one["shape"][:2], 10**6, 10**6]))),
        lawful=True,
    ),
    "an OME-Zarr root of a million empty lists": Case(
        changed("ome0.5/images.zarr", ROOT, lambda path: path.write_bytes(b'{"a": [' + b"[]," * (20 * p.MB) + b"[]]}")),
        "zarr.json",
    ),
    "an OME-Zarr image of 10**5 channels": Case(
        ome(SITE, lambda one: one["omero"].update(channels=[{"label": str(n)} for n in range(10**5)])), lawful=True
    ),
    "an OME-Zarr image whose axes are letters by the thousand": Case(
        ome(SITE, lambda one: one["multiscales"][0].update(axes=["z"] * 5000)), "A/01/0"
    ),
    "an OME-Zarr plate 100,000 deep": Case(
        changed("ome0.5/images.zarr", ROOT, lambda path: path.write_bytes(b'{"a":' * DEEP)), "zarr.json"
    ),
    "an OME-Zarr plate of 300 MB": Case(
        changed("ome0.5/images.zarr", ROOT, lambda path: p.sparse(path, 300 * p.MB, b"{")), "zarr.json"
    ),
    "an OME-Zarr plate that is a pipe": Case(changed("ome0.5/images.zarr", ROOT, fifo), "plate"),
    "an OME-Zarr well that is outside": Case(changed("ome0.5/images.zarr", "A/01", linked("../../../outside")), "A/01"),
    "an OME-Zarr document that is outside": Case(
        changed("ome0.5/images.zarr", SITE, linked("../../../../../outside/array/zarr.json")), "A/01"
    ),
    "an OME-Zarr plate whose own numbers are none": Case(
        changed(
            "ome0.5/images.zarr",
            SITE,
            told(lambda one: one["attributes"].update(openhcs={"site": [], "channels": {"a": 1}, "z": "x", "gaps": 7})),
        ),
        "A/01/0",
    ),
    "an OME-Zarr plate whose own numbers are far": Case(
        changed(
            "ome0.5/images.zarr",
            SITE,
            told(lambda one: one["attributes"].update(openhcs={"site": 10**400, "channels": [10**400]})),
        ),
        "A/01/0",
    ),
}
NAMES = {
    **{
        f"saving to {path!r:.40} on {backend}": Case(saved(path, backend))
        for backend in ("disk", "zarr")
        for path in (
            *(
                "../out.npy",
                "a/../../out.npy",
                "/tmp/out.npy",
                "C:/x.npy",
                "a\x00.npy",
                "a\nb.npy",
                "\u202efoo.npy",
                "x" * 256 + ".npy",
                "é" * 128 + ".npy",
            ),
            *("deep/" * 1500 + "a.npy", "CON", "nul.npy", "a/com1.npy", "a\\b.npy", "\ud800.npy"),
        )
    },
    **{
        f"saving through a link that leads out on {backend}": Case(
            saved("door/out.npy", backend, lambda root: (root / "door").symlink_to("../../outside"))
        )
        for backend in ("disk", "zarr")
    },
    **{
        f"saving over a link that leads out on {backend}": Case(
            saved(path, backend, lambda root, path=path: linked("../../outside/secret.npy")(root / path))
        )
        for backend, path in (("disk", "a.npy"), ("zarr", "images.zarr"))
    },
    **{
        f"saving {path} beside {first} on {backend}": Case(
            saved(
                path,
                backend,
                lambda root, first=first, backend=backend: FileManager(root).save(np.ones(3, np.uint8), first, backend),
            ),
            path,
        )
        for backend in ("disk", "zarr")
        for first, path in (
            ("Plate/a.npy", "plate/b.npy"),
            ("plate/A.npy", "plate/a.npy"),
            ("s.zarr/A/x", "s.zarr/a/y"),
            ("É.npy", "é.npy"),
        )
        if backend == "zarr" or ".zarr" not in path
    },
    "a thousand stars against a long name": Case(
        asked(lambda: Pattern("*a" * 400 + "{well}.tif").match("a" * 60_000)), lawful=True
    ),
    "a pattern of a thousand braces": Case(asked(lambda: Pattern("{" * 100_000))),
    "a well filter of a thousand ranges": Case(
        asked(lambda: select_wells([f"A{n:02d}" for n in range(1, 49)], ",".join(["A01:ZZ999"] * 5000))), lawful=True
    ),
    "100,000 names of one well": Case(asked(lambda: detect(Names([f"x{n}y.tif" for n in range(20_000)]))), lawful=True),
    "TOML 100,000 deep": Case(asked(lambda: GlobalPipelineConfig.from_toml("a = " + "[" * DEEP))),
    "TOML with a key 100,000 deep": Case(asked(lambda: GlobalPipelineConfig.from_toml("a." * DEEP + "b = 1"))),
    "TOML with a number of a million digits": Case(
        asked(lambda: GlobalPipelineConfig.from_toml("num_workers = " + "9" * 10**6))
    ),
    "TOML with a date where a number belongs": Case(
        asked(lambda: GlobalPipelineConfig.from_toml("num_workers = 2020-01-01"))
    ),
    "TOML of a store that leads out": Case(
        asked(lambda: GlobalPipelineConfig.from_toml('[zarr]\nstore_name = "../x.zarr"'))
    ),
    "TOML with a table where a text belongs": Case(asked(lambda: GlobalPipelineConfig.from_toml("missing = {a = 1}"))),
}
LEDGERS = {
    "a ledger 100,000 deep": Case(
        ledger(".images.zarr.openhcs/ledger.json", lambda path: path.write_bytes(b"[" * DEEP)), "ledger.json"
    ),
    "a ledger that is a pipe": Case(ledger(".images.zarr.openhcs/ledger.json", fifo), "ledger.json"),
    "a ledger of 300 MB": Case(
        ledger(".images.zarr.openhcs/ledger.json", lambda path: p.sparse(path, 300 * p.MB, b"{")), "ledger.json"
    ),
    "a record that is a pipe": Case(ledger(".images.zarr.openhcs/commits/A01*.json", fifo), "A01"),
    "a record of 4 GB": Case(
        ledger(".images.zarr.openhcs/commits/A01*.json", lambda path: p.sparse(path, 2**32, b"{")), "A01"
    ),
    "a plan that is a folder": Case(ledger(".images.zarr.openhcs/plan.json", folder_instead), "plan.json"),
}

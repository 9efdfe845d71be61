"""One flipped bit or one lost file of a committed well is an error on load that says where, never other pixels."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import zarr

from openhcs import (
    FileManager,
    FunctionStep,
    GlobalPipelineConfig,
    PipelineOrchestrator,
    VFSConfig,
    ZarrCompressor,
    ZarrConfig,
    convert,
    open_plate,
)
from openhcs.errors import FormatError, InputError, OpenHCSError
from openhcs.ledger.ledger import Ledger
from openhcs.testing.synthetic import make_plate

SIZE = (48, 40)
WELLS, SITES = ("A01", "B02"), (1, 2)
CUSTOM = {"chunk_strategy": "custom", "chunk_shape": (1, 1, 24, 20)}
SHARDED = {**CUSTOM, "shard_shape": (2, 1, 48, 40)}
DOCUMENTS = ("zarr.json", ".zarray", ".zattrs")


def zarr_kinds():
    """Yield (name, settings): all compressors of both versions, in one shard, in several, and without."""
    for compressor in ZarrCompressor:
        name = compressor.value
        yield f"0.4 {name}", {"ngff_version": "0.4", "compressor": compressor}
        for shuffle in (True, False) if compressor is ZarrCompressor.ZSTD else (True,):
            mark = "" if shuffle else " plain"
            for layout, how in (("", {}), (" shards", SHARDED), (" chunks", CUSTOM)):
                yield f"0.5 {name}{mark}{layout}", {"compressor": compressor, "shuffle": shuffle, **how}
    yield "0.4 lz4 chunks", {"ngff_version": "0.4", "compressor": "lz4", **CUSTOM}


ZARR_KINDS = dict(zarr_kinds())
KINDS = ["tiff", *ZARR_KINDS]


def config(kind):
    how = {"num_workers": 1, "use_threading": True, "durability": "fast"}
    if kind == "tiff":
        return GlobalPipelineConfig(vfs=VFSConfig(materialization_backend="disk"), **how)
    return GlobalPipelineConfig(zarr=ZarrConfig(**ZARR_KINDS[kind]), **how)


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    return make_plate(tmp_path_factory.mktemp("raw") / "P1", wells=WELLS, sites=2, z=2, size=SIZE)


@pytest.fixture(scope="module")
def made(plate, tmp_path_factory):
    """Return the output of a kind, made at its first use; whoever damages it mends it."""
    outputs = {}

    def output(kind):
        if kind not in outputs:
            outputs[kind] = tmp_path_factory.mktemp("out") / "out"
            assert convert(plate, outputs[kind], config=config(kind)).ok
        return outputs[kind]

    return output


@pytest.fixture
def own(made, tmp_path):
    """Return a copy of the output of a kind, to be damaged for good."""
    return lambda kind: Path(shutil.copytree(made(kind), tmp_path / "out"))


@pytest.fixture(scope="module")
def pixels(plate):
    raw = open_plate(plate)
    return {(well, site): raw[well].site(site).read() for well in WELLS for site in SITES}


@dataclass(frozen=True)
class File:
    """A stored file, the site it is of, its place in its array."""

    path: Path
    well: str
    site: int
    key: str


def files(output):
    """Return the files that pixels are read from, as the commit records name them."""
    found = []
    for well, record in Ledger(output).records().items():
        for row in record["images"]:
            top = row["path"] if row["path"].endswith(".tif") else f"{row['path']}/0/"
            paths = [one["path"] for one in record["objects"] if one["path"].startswith(top)]
            assert paths
            keys = [path.removeprefix(top) or path.rpartition("/")[2] for path in paths]
            found += [File(output / path, well, row["site"], key) for path, key in zip(paths, keys, strict=True)]
    return sorted(found, key=lambda file: file.path)


def load(output, well, site):
    return open_plate(output)[well].site(site).read()


def outcome(output, file, meant):
    """Return what loading a damaged site came to; anything but our error or the right pixels fails."""
    try:
        read = load(output, file.well, file.site)
    except InputError as error:
        return located(file, error)
    np.testing.assert_array_equal(read, meant, strict=True)
    return "harmless"


def located(file, error):
    """Hold an error against the file that was damaged."""
    assert (error.well, error.site) == (file.well, file.site), error
    if not isinstance(error, FormatError):
        # A document that tells of another shape or dtype: its image is left out as an odd one.
        assert file.key in DOCUMENTS, error
        return "told as missing"
    assert error.path, error
    if file.key in DOCUMENTS:
        assert error.path in str(file.path), error
    else:
        assert error.path == str(file.path), error
        assert file.key in str(error), error
    return "raised"


def flip(file, bit):
    whole = file.path.read_bytes()
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    file.path.write_bytes(damaged)
    return whole


def flips(made, pixels, count, seed):
    draw = random.Random(seed)
    counts = {}
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        output = made(kind)
        file = draw.choice(files(output))
        bit = draw.randrange(8 * file.path.stat().st_size)
        whole = flip(file, bit)
        try:
            came = outcome(output, file, pixels[file.well, file.site])
        except OpenHCSError as error:
            raise AssertionError(f"{kind}: bit {bit} of {file}: {error!r}") from error
        finally:
            file.path.write_bytes(whole)
        counts.setdefault("document" if file.key in DOCUMENTS else "pixels", Counter())[came] += 1
    for what, found in counts.items():
        print(f"flips in {what}: {found.total()}: {dict(found)}")
    return sum(counts.values(), Counter())


def test_flipped_bits_are_raised_and_located(made, pixels):
    counts = flips(made, pixels, 20 * len(KINDS), seed=1)
    assert counts["harmless"] == 0
    assert counts["raised"] > 10 * len(KINDS)


@pytest.mark.crash
def test_ten_thousand_flipped_bits_are_raised_and_located(made, pixels):
    assert flips(made, pixels, 10_000, seed=2)["harmless"] == 0


def shard_index(path, chunks):
    """Return where each inner chunk lies in a shard, by the specification: pairs and a crc32c at its end."""
    data = path.read_bytes()
    pairs = np.frombuffer(data[-16 * chunks - 4 : -4], "<u8").reshape(chunks, 2)
    return [(int(start), int(start + size)) for start, size in pairs]


def test_the_inner_chunk_that_is_damaged_is_the_one_named(made):
    output = made("0.5 zstd shards")
    (file,) = (file for file in files(output) if file.well == "B02" and file.site == 2 and file.key == "c/0/1/0/0")
    grid = [f"({c}, 1, {y}, {x}) (c {c}, z 1, y {24 * y} to {24 * y + 23}, x {20 * x} to {20 * x + 19})"
            for c in range(2) for y in range(2) for x in range(2)]  # fmt: skip
    for where, (start, stop) in zip(grid, shard_index(file.path, 8), strict=True):
        whole = flip(file, 8 * random.Random(start).randrange(start, stop))
        with pytest.raises(FormatError, match="its checksum differs") as caught:
            load(output, "B02", 2)
        file.path.write_bytes(whole)
        assert f"plane B02_s2_c{int(where[1]) + 1}_z2_t1: " in str(caught.value)
        assert f"chunk {where} in c/0/1/0/0" in str(caught.value)
        assert "DATA_LOSS" not in str(caught.value)
    whole = flip(file, 8 * (len(whole) - 2))
    with pytest.raises(FormatError, match="the index at the end of the shard c/0/1/0/0"):
        load(output, "B02", 2)
    file.path.write_bytes(whole[:40])
    with pytest.raises(FormatError, match="the shard c/0/1/0/0 is damaged, or the file is cut off"):
        load(output, "B02", 2)
    file.path.write_bytes(whole)


def flipped(file):
    """Flip a bit near the file's begin: in the first chunk of a shard, in the documents of a TIFF."""
    flip(file, 8 * 40)


LOSSES = {"lost": lambda file: file.path.unlink(), "damaged": flipped}


def first_object(output, well="B02", site=2):
    return next(file for file in files(output) if (file.well, file.site) == (well, site) and file.key not in DOCUMENTS)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ["tiff", "0.5 none", "0.5 zstd chunks", "0.4 zstd", "0.4 lz4", "0.4 lz4 chunks"])
def test_every_way_to_load_tells_of_a_lost_or_damaged_file(own, tmp_path, kind, loss):
    output = own(kind)
    file = first_object(output)
    LOSSES[loss](file)
    with pytest.raises(InputError) as caught:
        load(output, "B02", 2)
    assert (caught.value.well, caught.value.site) == ("B02", 2)
    assert file.key in str(caught.value)
    read = FunctionStep(np.copy, "copy", [], out="same", out_dtype="uint16")
    ways = {
        "convert": lambda: convert(output, tmp_path / "next", config=config("tiff")),
        "run": lambda: PipelineOrchestrator(output, output=tmp_path / "run", global_config=config("tiff")).run([read]),
    }
    for way in ways.values():
        if kind == "tiff" and loss == "lost":
            with pytest.raises(InputError, match=r"B02.*missing") as caught:
                way()
            assert (caught.value.well, caught.value.site) == ("B02", 2)
            continue
        (failure,) = way().failed
        assert failure.well == "B02"
        assert "B02_s2_" in failure.message
        assert file.key in failure.message


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ["0.5 zstd", "0.5 none shards", "0.5 lz4 chunks", "0.4 zstd", "0.4 zlib"])
def test_the_file_manager_tells_of_lost_and_damaged_chunks(own, kind, loss):
    output = own(kind)
    file = first_object(output)
    LOSSES[loss](file)
    manager = FileManager(output)
    image = "images.zarr/B/02/1/0"
    ways = {
        "plane": lambda: manager.load("images.zarr/B02_s2_c1_z1_t1", "zarr"),
        "plane's part": lambda: manager.open_array("B02_s2_c1_z1_t1", "zarr").read((slice(0, 9), slice(0, 9))),
        "array": lambda: manager.load(image, "zarr"),
        "array's part": lambda: manager.open_array(image, "zarr").read((0, 0, slice(3, 5))),
    }
    for name, way in ways.items():
        with pytest.raises(FormatError) as caught:
            way()
        assert (caught.value.well, caught.value.site) == ("B02", 2), name
        assert f"in {file.key}" in str(caught.value), name
        assert ("plane B02_s2_c1_z1_t1: " in str(caught.value)) == name.startswith("plane"), name
        assert caught.value.path == str(file.path), name
        assert "damaged" in str(caught.value) if loss == "damaged" else "missing" in str(caught.value), name
    assert manager.load("images.zarr/A01_s1_c1_z1_t1", "zarr").any()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_chunks_lost_together_with_our_mark_are_still_no_zeros(own, version):
    output = own(f"{version} zstd" + " chunks" * (version == "0.5"))
    file = first_object(output)
    file.path.unlink()
    array = output / "images.zarr/B/02/1/0"
    for name in DOCUMENTS:
        if (array / name).exists():
            told = (array / name).read_bytes()
            (array / name).write_bytes(told.replace(b'"complete":true', b'"complete":null'))
    if version == "0.4":
        with pytest.raises(FormatError, match="missing"):
            FileManager(output).load("images.zarr/B/02/1/0", "zarr")
        (array / ".zattrs").unlink()
    with pytest.raises(FormatError, match=r"zarr.json is damaged|\.zattrs is damaged: it is gone"):
        load(output, "B02", 2)
    with pytest.raises(FormatError, match="missing"):
        FileManager(output).load("images.zarr/B02_s2_c1_z1_t1", "zarr")


def test_zeros_left_out_by_others_stay_lawful(own):
    output = own("0.5 zstd chunks")
    folder = output.parent / "foreign.zarr"
    shutil.copytree(output / "images.zarr", folder)
    root = zarr.open_group(folder, mode="r+")
    del root.attrs["openhcs"]
    array = folder / "A/01/0/0"
    shutil.rmtree(array)
    zarr.create_array(array, shape=(2, 2, *SIZE), dtype="uint16", chunks=(1, 1, *SIZE), fill_value=0)
    assert not load(folder, "A01", 1).any()
    assert not FileManager(folder.parent).load("foreign.zarr/A01_s1_c1_z1_t1", "zarr").any()


def test_a_store_away_from_its_ledger_is_read_as_it_is(own, pixels, tmp_path):
    output = own("0.4 lz4")
    away = tmp_path / "away.zarr"
    shutil.move(output / "images.zarr", away)
    np.testing.assert_array_equal(load(away, "B02", 2), pixels["B02", 2])
    file = next(away.glob("B/02/1/0/0/0/0/0"))
    file.unlink()
    with pytest.raises(FormatError, match="missing"):
        load(away, "B02", 2)


def test_a_bare_store_is_compared_with_the_ledger_beside_it(plate, tmp_path):
    output = tmp_path / "plate.zarr"
    assert convert(plate, output, config=config("0.4 none")).ok
    flipped(first_object(output))
    with pytest.raises(FormatError, match="not what the commit record tells"):
        load(output, "B02", 2)


def test_a_well_committed_anew_while_a_view_is_open_is_read(own, plate, tmp_path):
    output = own("0.4 lz4")
    view = open_plate(output)
    before = view["B02"].site(2).read()
    other = make_plate(tmp_path / "other" / "P1", wells=WELLS, sites=2, z=2, size=SIZE, seed=7)
    how = GlobalPipelineConfig(num_workers=1, use_threading=True, zarr=ZarrConfig(ngff_version="0.4", compressor="lz4"))
    assert convert(other, output, config=how, exist="replace").ok
    after = view["B02"].site(2).read()
    assert (after != before).any()
    np.testing.assert_array_equal(after, open_plate(other)["B02"].site(2).read())


def test_documents_that_tell_of_other_pixels_are_never_believed(own):
    output = own("0.4 none")
    document = output / "images.zarr/B/02/1/0/.zarray"
    document.write_bytes(document.read_bytes().replace(b'"<u2"', b'">u2"'))
    with pytest.raises(FormatError, match=r"\.zarray is damaged: it is not what the commit record tells"):
        load(output, "B02", 2)

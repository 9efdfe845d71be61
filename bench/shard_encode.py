"""One shard (3, 1, 1080, 1080) of uint16, written three ways: what a way costs against the bare files.

    python bench/shard_encode.py [folder]

Prints wall and CPU ms per MB of pixels (medians of interleaved runs) and their ratios to
tensorstore writing the files itself.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorstore as ts

import bare
from openhcs.core.config import ZarrConfig
from openhcs.io import ts_context
from openhcs.io.fsops import FileOps
from openhcs.io.zarr_array import write_array
from openhcs.io.zarr_document import array_document
from openhcs.io.zarr_spec import make_spec

ROUNDS = 11
OPS = FileOps(durable=False)


def microscope_like(shape: tuple[int, ...]) -> np.ndarray:
    """Return background with shot and camera noise."""
    rng = np.random.default_rng(0)
    return (rng.poisson(200, shape) + rng.normal(0, 5, shape)).astype("uint16")


def tensorstore_files(folder: Path, array: np.ndarray, context: ts.Context) -> None:
    bare.write(folder, array, context)


def tensorstore_memory(folder: Path, array: np.ndarray, context: ts.Context) -> None:
    spec = make_spec(array.shape, "uint16", ZarrConfig())
    store = {"driver": "memory", "path": f"{folder.name}/"}
    document = array_document(spec)
    made = ts.open(
        {
            "driver": "zarr3",
            "kvstore": store,
            "metadata": document,
            "open": True,
            "assume_metadata": True,
            "store_data_equal_to_fill_value": True,
        },
        context=context,
    ).result()
    made.write(array).result()
    objects = made.kvstore
    for key in objects.list().result():
        path = folder / key.decode()
        OPS.make_dirs(path.parent)
        OPS.write_new(path, objects.read(key).result().value)
    objects.delete_range(ts.KvStore.KeyRange()).result()


def ours(folder: Path, array: np.ndarray, context: ts.Context) -> None:  # noqa: ARG001 - the ways are called alike
    write_array(folder, array, make_spec(array.shape, "uint16", ZarrConfig()), OPS)


WAYS = (tensorstore_files, tensorstore_memory, ours)


def measure(root: Path, threads: int) -> None:
    ts_context.configure(threads)
    context = bare.context(threads)
    array = microscope_like((3, 1, 1080, 1080))
    took: dict[str, list[tuple[float, float]]] = {way.__name__: [] for way in WAYS}
    for number in range(ROUNDS + 1):
        for way in WAYS:
            folder = root / f"{way.__name__}-{threads}-{number}"
            wall, cpu = time.perf_counter(), time.process_time()
            way(folder, array, context)
            took[way.__name__].append((time.perf_counter() - wall, time.process_time() - cpu))
            shutil.rmtree(folder)
    size = array.nbytes / 1e6
    first = [statistics.median(column) for column in zip(*took["tensorstore_files"][1:], strict=True)]
    for name, runs in took.items():
        wall, cpu = (statistics.median(column) for column in zip(*runs[1:], strict=True))
        print(
            f"{threads} threads  {name:20s} wall {1e3 * wall / size:5.2f} ms/MB ({wall / first[0]:.2f} x)"
            f"   CPU {1e3 * cpu / size:5.2f} ms/MB ({cpu / first[1]:.2f} x)"
        )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as made:
        for count in (1, 2):
            measure(Path(made), count)

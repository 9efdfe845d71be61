"""Each worker process gets its share of the cores, and what the user has set stays."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from openhcs.plan.model import Task
from openhcs.run.attempt import Report
from openhcs.run.cores import VARIABLES
from openhcs.run.pool import Processes

WELL = Task(well="A01", planes=(), calls=0, peak_bytes=1, bytes_in=0, images=(), labels=(), stored=())


def of_numpy() -> int | None:
    library = ctypes.CDLL(np.linalg._umath_linalg.__file__)
    found = getattr(library, "scipy_openblas_get_num_threads64_", None)
    return found() if found else None


@dataclass(frozen=True)
class Telling:
    """A job that writes down how many threads its process is told to use."""

    output: str

    def do(self, task):
        told = {"set": {name: os.environ[name] for name in VARIABLES if name in os.environ}, "numpy": of_numpy()}
        Path(self.output, "told.json").write_text(json.dumps(told))
        return Report(bytes_in=0, bytes_out=0, seconds=0.0)


def told(folder, threads):
    """Return what a worker of this process tells."""
    list(Processes(1, threads, 1).run(Telling(str(folder)), [WELL], threading.Event(), lambda _: None))
    return json.loads((folder / "told.json").read_text())


SCRIPT = """
import sys
from pathlib import Path
from test_cores import of_numpy, told

if __name__ == "__main__":
    before = of_numpy()
    told(Path(sys.argv[1]), int(sys.argv[2]))
    assert of_numpy() == before
"""


def in_script(folder, threads, users):
    """Return what a worker tells whose run was started where the user has set some variables."""
    script = folder / "script.py"
    script.write_text(SCRIPT)
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    others = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environment = {**others, **users, "PYTHONPATH": path}
    subprocess.run([sys.executable, script, folder, str(threads)], env=environment, check=True)
    return json.loads((folder / "told.json").read_text())


@pytest.mark.parametrize("threads", [1, 3])
def test_a_worker_tells_its_libraries_how_many_threads_to_use(threads, tmp_path):
    found = in_script(tmp_path, threads, {})
    assert found["set"] == dict.fromkeys(VARIABLES, str(threads))
    assert found["numpy"] in {threads, None}


@pytest.mark.parametrize(
    ("users", "expected", "numpy"),
    [
        ({"OMP_NUM_THREADS": "2"}, {"OMP_NUM_THREADS": "2"}, 2),
        ({"MKL_NUM_THREADS": "5"}, {**dict.fromkeys(VARIABLES, "3"), "MKL_NUM_THREADS": "5"}, 3),
        ({"OPENBLAS_NUM_THREADS": "2"}, {**dict.fromkeys(VARIABLES, "3"), "OPENBLAS_NUM_THREADS": "2"}, 2),
    ],
    ids=["of all", "of one", "of numpy"],
)
def test_what_the_user_has_set_stays(users, expected, numpy, tmp_path):
    found = in_script(tmp_path, 3, users)
    assert found["set"] == expected
    assert found["numpy"] in {min(numpy, os.cpu_count() or 1), numpy, None}

"""A FileManager does what a plain dict of arrays and a set of folders would, on every backend."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from openhcs import FileManager, VFSConfig
from openhcs.core.wells import natural_key
from openhcs.errors import AlreadyExists, InvalidPath, InvalidValue, NotFound
from openhcs.io.fsops import FileOps

NAMES = st.sampled_from(["a", "b", "s2", "s10"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
SPELLINGS = st.sampled_from(["{}", "./{}", "{}/", "q/../{}"])
ARRAYS = st.builds(
    lambda dtype, rows, start: np.arange(start, start + 3 * rows).reshape(rows, 3).astype(dtype),
    st.sampled_from(["uint8", "uint16", "float32"]),
    st.integers(1, 40),
    st.integers(0, 90),
)


def above(path):
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


class Comparison(RuleBasedStateMachine):
    """The manager beside its model: ``values`` by path, and the ``folders`` that exist."""

    backend = "memory"

    def __init__(self):
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="openhcs-test-"))
        vfs = VFSConfig(memory_budget=700, spill_dir=self.place / "spill")
        self.files = FileManager(self.place / "root", vfs=vfs, ops=FileOps(durable=False))
        self.values = {}
        self.folders = set()

    def teardown(self):
        shutil.rmtree(self.place)

    def refusal(self, path, *, overwrite, folder=False):
        """Return the errors that storing at a path may raise by the model."""
        if any(one in self.values for one in above(path)):
            return InvalidPath
        if path in self.values and (folder or not overwrite):
            return AlreadyExists
        if path in self.folders and not folder:
            return AlreadyExists
        return None

    def told(self, error):
        return contextlib.nullcontext() if error is None else pytest.raises(error)

    def keep(self, path, array):
        self.values[path] = array
        self.folders.update(above(path))

    @rule(path=PATHS, spelling=SPELLINGS, array=ARRAYS, overwrite=st.booleans(), hand_over=st.booleans())
    def save(self, path, spelling, array, overwrite, hand_over):
        error = self.refusal(path, overwrite=overwrite)
        given = array.copy()
        with self.told(error):
            self.files.save(
                given, spelling.format(path), self.backend, overwrite=overwrite, hand_over=hand_over and error is None
            )
        if error is None:
            self.keep(path, array)
        if not hand_over:
            given[...] = 0

    @rule(path=PATHS)
    def load(self, path):
        with self.told(None if path in self.values else NotFound):
            found = self.files.load(path, self.backend)
            assert found.dtype == self.values[path].dtype
            np.testing.assert_array_equal(found, self.values[path])

    @rule(path=PATHS, recursive=st.booleans())
    def delete(self, path, recursive):
        below = [one for one in {*self.values, *self.folders} if one.startswith(f"{path}/")]
        error = NotFound if path not in self.values and path not in self.folders else None
        if below and not recursive:
            error = InvalidValue
        with self.told(error):
            self.files.delete(path, self.backend, recursive=recursive)
        if error is None:
            for one in (path, *below):
                self.values.pop(one, None)
                self.folders.discard(one)

    @rule(path=PATHS)
    def make_folder(self, path):
        error = self.refusal(path, overwrite=False, folder=True)
        with self.told(error):
            self.files.ensure_directory(path, self.backend)
        if error is None:
            self.folders.update([*above(path), path])

    @rule(src=PATHS, dst=PATHS, overwrite=st.booleans(), move=st.booleans())
    def copy_or_move(self, src, dst, overwrite, move):
        error = self.refusal(dst, overwrite=overwrite)
        if src in self.folders:
            error = InvalidPath
        elif src == dst:
            error = (InvalidValue, NotFound)
        elif src not in self.values:
            error = NotFound if error is None else (NotFound, error)
        verb = self.files.move if move else self.files.copy
        with self.told(error):
            verb(src, dst, self.backend, overwrite=overwrite)
        if error is None:
            self.keep(dst, self.values[src])
            if move:
                del self.values[src]

    @rule(paths=st.lists(PATHS, unique=True, max_size=4), array=ARRAYS)
    def save_batch_of_free_places(self, paths, array):
        model = dict.fromkeys(self.values)
        free = []
        for path in paths:
            taken = {*model, *free, *self.folders}
            if path not in taken and not any(one in {*model, *free} for one in above(path)):
                free = [*free, path] if not any(one.startswith(f"{path}/") for one in free) else free
        if self.backend == "zarr":
            free = [path for path in free if above(path) == above(free[0])]
        self.files.save_batch([array + 1 for _ in free], free, self.backend)
        for path in free:
            self.keep(path, array + 1)
        for found in self.files.load_batch(free, self.backend):
            np.testing.assert_array_equal(found, array + 1)

    @rule(path=PATHS, rows=st.slices(40))
    def read_a_part(self, path, rows):
        if path in self.values and (rows.step or 1) > 0:
            part = self.files.open_array(path, self.backend).read((rows, 1))
            np.testing.assert_array_equal(part, self.values[path][rows, 1])

    @rule(folder=PATHS)
    def list_a_folder(self, folder):
        with self.told(None if folder in self.folders else NotFound):
            found = self.files.list(folder, self.backend)
            here = [one for one in {*self.values, *self.folders} if above(f"{one}/")[-2:-1] == [folder]]
            assert found == sorted(here, key=natural_key)

    @invariant()
    def everything_is_listed(self):
        found = self.files.list("", self.backend, recursive=True)
        assert found == sorted([*self.values, *self.folders], key=natural_key)
        assert self.files.list_files("", self.backend, recursive=True) == sorted(self.values, key=natural_key)

    @invariant()
    def places_are_what_they_are(self):
        for path in ("a", "s2/b", "a/s10/a"):
            assert self.files.is_file(path, self.backend) == (path in self.values)
            assert self.files.is_dir(path, self.backend) == (path in self.folders)
            assert self.files.exists(path, self.backend) == (path in self.values or path in self.folders)

    @invariant()
    def what_is_held_is_counted(self):
        assert self.files.usage(self.backend).items == len(self.values)


class OnDisk(Comparison):
    backend = "disk"


class OnZarr(Comparison):
    backend = "zarr"


class TestMemory(Comparison.TestCase):
    settings = settings(max_examples=60, stateful_step_count=40)


class TestDisk(OnDisk.TestCase):
    settings = settings(max_examples=40, stateful_step_count=30)


class TestZarr(OnZarr.TestCase):
    settings = settings(max_examples=25, stateful_step_count=25)

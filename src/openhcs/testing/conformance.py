"""What every storage backend is held to, as tests that a backend's own tests inherit (needs pytest).

Usage, in a test file of the backend::

    class TestMine(BackendConformance):
        backend = "mine"

        @pytest.fixture
        def files(self, tmp_path):
            return FileManager(root=tmp_path, backends={"mine": MyBackend(tmp_path)})
"""

# ruff: noqa: D102 - the name of a test is its sentence

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from openhcs.errors import (
    AlreadyExists,
    InvalidPath,
    InvalidType,
    InvalidValue,
    NotFound,
    OpenHCSError,
    StorageError,
    UnknownName,
)
from openhcs.testing.conformance_values import DTYPES, ILLEGAL, IMAGE, LEAVING, SHAPES, Breaks, Exports, Stands, sample

if TYPE_CHECKING:
    from openhcs.io.filemanager import FileManager
    from openhcs.testing.conformance_values import Array


class BackendConformance:
    """One backend, through a `FileManager` with a root.

    A subclass sets ``backend`` and gives the fixture ``files``: a manager whose backend is empty.
    ``holds_objects`` says whether anything but arrays is kept at a path without a suffix.
    """

    backend = ""
    holds_objects = False

    @pytest.fixture
    def files(self) -> FileManager:
        """Return a manager with an empty backend; a subclass says which."""
        raise NotImplementedError

    def same(self, files: FileManager, path: str, expected: Array) -> None:
        """Check that a path holds an array equal in content, shape and, up to byte order, dtype."""
        found = files.load(path, self.backend)
        assert found.dtype == expected.dtype.newbyteorder("=")
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)

    # values

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_an_array_of_every_dtype_comes_back_equal(self, files: FileManager, dtype: str) -> None:
        files.save(sample(dtype), "d/a", self.backend)
        self.same(files, "d/a", sample(dtype))

    @pytest.mark.parametrize("kind", SHAPES)
    def test_an_array_of_every_shape_and_layout_comes_back_equal(self, files: FileManager, kind: str) -> None:
        files.save(SHAPES[kind], "a", self.backend)
        found = files.load("a", self.backend)
        assert found.shape == SHAPES[kind].shape
        assert found.dtype.newbyteorder("=") == SHAPES[kind].dtype.newbyteorder("=")
        np.testing.assert_array_equal(found, SHAPES[kind])
        np.testing.assert_array_equal(np.signbit(found), np.signbit(SHAPES[kind]))

    @pytest.mark.parametrize("kind", [Stands, Exports])
    def test_what_stands_for_an_array_is_stored_as_one(self, files: FileManager, kind: type) -> None:
        files.save(kind(), "a", self.backend)
        self.same(files, "a", IMAGE)

    def test_a_saved_array_is_a_snapshot(self, files: FileManager) -> None:
        mine = IMAGE.copy()
        files.save(mine, "a", self.backend)
        mine[...] = 0
        self.same(files, "a", IMAGE)

    def test_an_array_handed_over_comes_back_equal(self, files: FileManager) -> None:
        files.save(IMAGE.copy(), "a", self.backend, hand_over=True)
        files.save(IMAGE.copy()[1:], "b", self.backend, hand_over=True)
        self.same(files, "a", IMAGE)
        self.same(files, "b", IMAGE[1:])

    def test_changing_what_was_loaded_changes_nothing_stored(self, files: FileManager) -> None:
        files.save(IMAGE, "a", self.backend)
        loaded = files.load("a", self.backend)
        if loaded.flags.writeable:
            loaded[...] = 0
        else:
            with pytest.raises(ValueError, match="WRITEABLE"):
                loaded.flags.writeable = True
        self.same(files, "a", IMAGE)

    def test_masks_are_not_dropped(self, files: FileManager) -> None:
        with pytest.raises(InvalidType, match="mask"):
            files.save(np.ma.masked_equal(IMAGE, 3), "a", self.backend)
        assert not files.exists("a", self.backend)

    def test_objects_are_kept_by_reference_or_refused(self, files: FileManager) -> None:
        for number, value in enumerate(({"a": [1]}, [1, 2], "text", None, np.array([None, 1]))):
            path = f"d/{number}"
            if self.holds_objects:
                files.save(value, path, self.backend)
                found = files.load(path, self.backend)
                assert found is value or isinstance(value, np.ndarray)
            else:
                with pytest.raises((InvalidType, UnknownName)):
                    files.save(value, path, self.backend)
                assert not files.exists(path, self.backend)

    # taken paths

    def test_a_taken_path_is_refused_and_kept(self, files: FileManager) -> None:
        files.save(IMAGE, "a", self.backend)
        with pytest.raises(AlreadyExists) as raised:
            files.save(IMAGE + 1, "a", self.backend)
        assert isinstance(raised.value, FileExistsError)
        assert "a" in str(raised.value)
        self.same(files, "a", IMAGE)

    def test_overwriting_replaces_the_whole_value(self, files: FileManager) -> None:
        files.save(IMAGE, "a", self.backend)
        files.save(sample("float32", (2, 9)), "a", self.backend, overwrite=True)
        self.same(files, "a", sample("float32", (2, 9)))
        files.save(IMAGE, "new", self.backend, overwrite=True)
        self.same(files, "new", IMAGE)
        assert files.list("", self.backend) == ["a", "new"]

    def test_a_failed_save_leaves_what_was_there(self, files: FileManager) -> None:
        files.save(IMAGE, "d/a", self.backend)
        for path in ("d/a", "d/b", "e/f/c"):
            with pytest.raises(InvalidType, match="device"):
                files.save(Breaks(), path, self.backend, overwrite=True)
        self.same(files, "d/a", IMAGE)
        assert files.list_files("", self.backend, recursive=True) == ["d/a"]

    def test_a_value_has_no_children(self, files: FileManager) -> None:
        files.save(IMAGE, "d/a", self.backend)
        for path in ("d/a/b", "d/a/b/c"):
            with pytest.raises(InvalidPath):
                files.save(IMAGE, path, self.backend)
            with pytest.raises(InvalidPath):
                files.ensure_directory(path, self.backend)
            assert not files.exists(path, self.backend)
            with pytest.raises(NotFound):
                files.load(path, self.backend)
        with pytest.raises(AlreadyExists):
            files.ensure_directory("d/a", self.backend)
        self.same(files, "d/a", IMAGE)

    def test_a_folder_is_no_value(self, files: FileManager) -> None:
        files.save(IMAGE, "d/e/a", self.backend)
        for path in ("d", "d/e"):
            for overwrite in (False, True):
                with pytest.raises(AlreadyExists):
                    files.save(IMAGE, path, self.backend, overwrite=overwrite)
            with pytest.raises(NotFound):
                files.load(path, self.backend)
        for path in ("", ".", "/", "d/.."):
            with pytest.raises(InvalidPath):
                files.save(IMAGE, path, self.backend)
        self.same(files, "d/e/a", IMAGE)

    # missing paths

    def test_what_is_not_there_is_not_found(self, files: FileManager) -> None:
        files.save(IMAGE, "d/a", self.backend)
        for path in ("b", "d/b", "x/y/z"):
            for verb in (files.load, files.delete, files.list, files.open_array):
                with pytest.raises(NotFound) as raised:
                    verb(path, self.backend)
                assert isinstance(raised.value, FileNotFoundError)
                assert path in str(raised.value)
            assert not files.exists(path, self.backend)
            assert not files.is_file(path, self.backend)
            assert not files.is_dir(path, self.backend)

    def test_a_value_is_not_listed(self, files: FileManager) -> None:
        files.save(IMAGE, "a", self.backend)
        with pytest.raises(NotFound):
            files.list("a", self.backend)

    def test_an_empty_backend_lists_nothing(self, files: FileManager) -> None:
        assert files.list("", self.backend) == []
        assert files.list(".", self.backend, recursive=True) == []

    # paths

    def test_values_and_folders_exist(self, files: FileManager) -> None:
        files.save(IMAGE, "d/e/a", self.backend)
        kinds = {path: (files.is_file(path, self.backend), files.is_dir(path, self.backend)) for path in ("d/e/a", "d")}
        assert kinds == {"d/e/a": (True, False), "d": (False, True)}
        assert all(files.exists(path, self.backend) for path in ("d", "d/e", "d/e/a"))

    @pytest.mark.parametrize("path", ["é/日本", "a b/c", "n" * 255, "d/" * 3000 + "a", "a.b.c", "-", "~", "%2e"])
    def test_exists_never_raises_for_a_legal_path(self, files: FileManager, path: str) -> None:
        assert files.exists(path, self.backend) is False
        files.save(IMAGE, "n", self.backend)
        assert files.exists(f"n/{path}", self.backend) is False

    @pytest.mark.parametrize("path", ["é/日本", "a b/c d", "n" * 200, "a.b/c=1,2(3)@+#", "x%20y"])
    def test_legal_names_come_back_from_lists(self, files: FileManager, path: str) -> None:
        files.save(IMAGE, path, self.backend)
        assert files.list_files("", self.backend, recursive=True) == [path]
        self.same(files, path, IMAGE)

    @pytest.mark.parametrize("path", [*ILLEGAL, *LEAVING])
    def test_illegal_paths_are_refused_by_every_verb(self, files: FileManager, path: str) -> None:
        verbs = (files.load, files.exists, files.delete, files.list, files.is_file, files.is_dir, files.open_array)
        for verb in (*verbs, files.ensure_directory):
            with pytest.raises(InvalidPath):
                verb(path, self.backend)
        for overwrite in (False, True):
            with pytest.raises(InvalidPath):
                files.save(IMAGE, path, self.backend, overwrite=overwrite)

    def test_two_spellings_are_one_place(self, files: FileManager) -> None:
        files.save(IMAGE, "d//x/../a/", self.backend)
        for path in ("d/a", "./d/a", "d/./a", "d/a/", "q/../d/a"):
            self.same(files, path, IMAGE)
        with pytest.raises(AlreadyExists):
            files.save(IMAGE, "./d/a", self.backend)
        assert files.list("d/", self.backend) == ["d/a"]

    # lists

    def test_lists_are_in_natural_order_and_give_paths_to_load(self, files: FileManager) -> None:
        names = ["A01_s1", "A01_s2", "A01_s10", "A02_s1", "B01_s1"]
        for number in (3, 0, 4, 2, 1):
            files.save(IMAGE + number, f"p/{names[number]}", self.backend)
        found = files.list("p", self.backend)
        assert found == [f"p/{name}" for name in names]
        for number, path in enumerate(found):
            self.same(files, path, IMAGE + number)
        assert files.list_dir("p", self.backend) == names

    def test_lists_hold_values_and_folders_of_one_folder_or_of_all_below(self, files: FileManager) -> None:
        for path in ("a", "d/b", "d/e/c", "f/g/h"):
            files.save(IMAGE, path, self.backend)
        assert files.list("", self.backend) == ["a", "d", "f"]
        assert files.list("d", self.backend) == ["d/b", "d/e"]
        everything = ["a", "d", "d/b", "d/e", "d/e/c", "f", "f/g", "f/g/h"]
        assert files.list("", self.backend, recursive=True) == everything
        assert files.list_files("", self.backend) == ["a"]
        assert files.list_files("", self.backend, recursive=True) == ["a", "d/b", "d/e/c", "f/g/h"]

    def test_lists_are_narrowed_by_pattern_and_ending(self, files: FileManager) -> None:
        for path in ("A01_s1.tif", "A01_s2.tif", "B01_s1.tif", "d/A01_s3.TIF", "d/A01_s4.npy"):
            files.save(IMAGE[0], path, self.backend)
        assert files.list("", self.backend, pattern="A01_*") == ["A01_s1.tif", "A01_s2.tif"]
        assert files.list("", self.backend, pattern="?01_s1.tif") == ["A01_s1.tif", "B01_s1.tif"]
        assert files.list_files("d", self.backend, extensions={".tif"}) == ["d/A01_s3.TIF"]
        assert files.list("d", self.backend, extensions=["npy", ".tif"]) == ["d/A01_s3.TIF", "d/A01_s4.npy"]
        assert files.list_image_files("", self.backend, pattern="*_s[34]*", recursive=True) == files.list(
            "d", self.backend
        )

    # folders

    def test_an_empty_folder_can_be_made_again_and_deleted(self, files: FileManager) -> None:
        assert files.ensure_directory("d//e", self.backend) == "d/e"
        files.ensure_directory("d/e", self.backend)
        assert files.is_dir("d/e", self.backend)
        assert files.list("d/e", self.backend) == []
        assert files.list("", self.backend, recursive=True) == ["d", "d/e"]
        files.delete("d/e", self.backend)
        assert not files.exists("d/e", self.backend)

    def test_a_folder_with_something_in_it_is_only_deleted_recursively(self, files: FileManager) -> None:
        for path in ("d/a", "d/e/b", "k"):
            files.save(IMAGE, path, self.backend)
        with pytest.raises(InvalidValue, match="recursive"):
            files.delete("d", self.backend)
        self.same(files, "d/e/b", IMAGE)
        files.delete("d", self.backend, recursive=True)
        assert not any(files.exists(path, self.backend) for path in ("d", "d/a", "d/e", "d/e/b"))
        assert files.list("", self.backend, recursive=True) == ["k"]

    def test_a_deleted_value_is_gone_and_its_place_free(self, files: FileManager) -> None:
        files.save(IMAGE, "d/a", self.backend)
        files.delete("d/a", self.backend)
        assert not files.exists("d/a", self.backend)
        assert files.list("d", self.backend) == []
        files.save(IMAGE + 1, "d/a", self.backend)
        self.same(files, "d/a", IMAGE + 1)

    def test_where_everything_starts_is_never_deleted(self, files: FileManager) -> None:
        files.save(IMAGE, "a", self.backend)
        for path in ("", ".", "a/.."):
            with pytest.raises(InvalidPath):
                files.delete(path, self.backend, recursive=True)
        self.same(files, "a", IMAGE)

    # batches

    def test_a_batch_keeps_its_order(self, files: FileManager) -> None:
        paths = [f"d/s{number}" for number in (3, 1, 11, 2)]
        files.save_batch([IMAGE + number for number in range(4)], paths, self.backend)
        for number, found in enumerate(files.load_batch(paths, self.backend)):
            np.testing.assert_array_equal(found, IMAGE + number)
        assert files.load_batch([], self.backend) == []
        files.save_batch([], [], self.backend)

    @pytest.mark.parametrize(
        ("values", "paths"),
        [
            ([IMAGE], ["a", "b"]),
            ([IMAGE, IMAGE], ["a", "x/../a"]),
            ([IMAGE, IMAGE.astype("int32")], ["a", "b"]),
            ([IMAGE, "text"], ["a", "b"]),
            ([IMAGE, IMAGE], ["a", "../b"]),
        ],
    )
    def test_a_batch_that_is_none_is_refused_whole(
        self, files: FileManager, values: list[Any], paths: list[str]
    ) -> None:
        with pytest.raises(ValueError, match=r"item|values|leaves"):
            files.save_batch(values, paths, self.backend)
        assert files.list("", self.backend) == []

    def test_a_batch_of_mixed_dtypes_is_not_loaded(self, files: FileManager) -> None:
        for number, dtype in enumerate(("<u2", ">u2", "int32")):
            files.save(IMAGE.astype(dtype), f"d/{number}", self.backend)
        with pytest.raises(InvalidType, match=r"item 2 \(d/2\) is an array of int32, item 0 is an array of uint16"):
            files.load_batch(["d/0", "d/1", "d/2"], self.backend)
        np.testing.assert_array_equal(files.load_batch(["d/0", "d/1"], self.backend), [IMAGE, IMAGE])
        files.save_batch([IMAGE, IMAGE.astype(">u2")], ["d/3", "d/4"], self.backend)

    def test_one_bad_item_of_a_batch_names_itself(self, files: FileManager) -> None:
        files.save(IMAGE, "d/b", self.backend)
        with pytest.raises(NotFound, match=r"item 1 of 3 \(d/none\)"):
            files.load_batch(["d/b", "d/none", "d/b"], self.backend)
        with pytest.raises(AlreadyExists, match=r"item 0 of 2 \(d/b\)"):
            files.save_batch([IMAGE, IMAGE], ["d/b", "d/c"], self.backend)
        self.same(files, "d/b", IMAGE)

    # two places

    def test_a_copy_is_equal_and_its_source_stays(self, files: FileManager) -> None:
        files.save(IMAGE, "a", self.backend)
        files.copy("a", "d/b", self.backend)
        files.delete("a", self.backend)
        self.same(files, "d/b", IMAGE)

    @pytest.mark.parametrize("other", ["memory", "disk", "zarr"])
    def test_values_are_copied_and_moved_to_and_from_other_backends(self, files: FileManager, other: str) -> None:
        files.save(IMAGE, "a", self.backend)
        files.copy("a", "t/b", self.backend, other)
        np.testing.assert_array_equal(files.load("t/b", other), IMAGE)
        files.move("t/b", "t/c", other, self.backend)
        self.same(files, "t/c", IMAGE)
        assert not files.exists("t/b", other)
        self.same(files, "a", IMAGE)

    def test_a_move_that_cannot_be_leaves_both_ends(self, files: FileManager) -> None:
        files.save(IMAGE, "a", self.backend)
        files.save(IMAGE + 1, "b", self.backend)
        with pytest.raises(AlreadyExists):
            files.move("a", "b", self.backend)
        with pytest.raises(NotFound):
            files.move("none", "c", self.backend)
        with pytest.raises(InvalidValue):
            files.move("a", "./a", self.backend, overwrite=True)
        self.same(files, "a", IMAGE)
        self.same(files, "b", IMAGE + 1)
        files.move("a", "b", self.backend, overwrite=True)
        assert files.list("", self.backend) == ["b"]
        self.same(files, "b", IMAGE)

    # parts

    @pytest.mark.parametrize(
        "region", [(), (1,), (-1, ..., 2), (slice(1, 3), slice(None, None, 2)), (..., slice(4, 9))]
    )
    def test_parts_are_read_as_numpy_cuts_them(self, files: FileManager, region: tuple[Any, ...]) -> None:
        files.save(IMAGE, "a", self.backend)
        handle = files.open_array("a", self.backend)
        assert handle.spec.shape == IMAGE.shape
        assert handle.spec.dtype == "uint16"
        np.testing.assert_array_equal(handle.read(region), IMAGE[region])
        room = np.zeros_like(IMAGE[region])
        assert handle.read(region, out=room) is room
        np.testing.assert_array_equal(room, IMAGE[region])

    def test_parts_outside_the_array_are_refused(self, files: FileManager) -> None:
        files.save(IMAGE, "a", self.backend)
        handle = files.open_array("a", self.backend)
        for region in ((4,), (0, 0, 0, 0), (slice(None, None, -1),)):
            with pytest.raises(InvalidValue):
                handle.read(region)
        with pytest.raises((InvalidValue, InvalidType)):
            handle.read((0,), out=np.zeros((2, 2), "uint16"))

    # many at once

    def test_usage_counts_what_is_held(self, files: FileManager) -> None:
        noise = np.random.default_rng(0).integers(0, 2**16, (64, 64), "uint16")
        files.save(noise, "d/a", self.backend)
        files.save(noise, "b", self.backend)
        usage = files.usage(self.backend)
        assert usage.items == 2
        assert usage.bytes > noise.nbytes
        files.delete("b", self.backend)
        assert files.usage(self.backend).items == 1

    def test_many_threads_lose_nothing(self, files: FileManager) -> None:
        paths = [f"d{number % 3}/e/s{number}" for number in range(24)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda one: files.save(IMAGE + one, paths[one], self.backend), range(24)))
            found = list(pool.map(lambda path: files.load(path, self.backend), paths))
        for number, array in enumerate(found):
            np.testing.assert_array_equal(array, IMAGE + number)
        assert len(files.list_files("", self.backend, recursive=True)) == 24

    def test_of_many_writers_to_one_path_exactly_one_wins(self, files: FileManager) -> None:
        start = threading.Barrier(6)

        def write(number: int) -> int | None:
            start.wait()
            try:
                files.save(IMAGE + number, "d/a", self.backend)
            except AlreadyExists:
                return None
            return number

        with ThreadPoolExecutor(6) as pool:
            won = [one for one in pool.map(write, range(6)) if one is not None]
        assert len(won) == 1
        self.same(files, "d/a", IMAGE + won[0])

    def test_errors_are_ours_and_tell_where(self, files: FileManager) -> None:
        assert not issubclass(InvalidPath, StorageError)
        for verb in (files.load, files.delete, files.list):
            with pytest.raises(OpenHCSError) as raised:
                verb("d/none", self.backend)
            assert raised.value.path == "d/none"
            assert raised.value.backend == self.backend

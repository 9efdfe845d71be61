"""One normal form of a path, and the folder that paths may not leave."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.errors import InvalidPath, InvalidType
from openhcs.io.paths import Root, join, name_of, normal, parent_of


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b", "a/b"),
        ("a//b/", "a/b"),
        ("./a/./b", "a/b"),
        ("a/x/../b", "a/b"),
        ("a/../b", "b"),
        ("//a", "/a"),
        ("/", "/"),
        ("/../a", "/a"),
        ("", ""),
        (".", ""),
        ("a/..", ""),
        ("...", "..."),
        ("a/..b/.c", "a/..b/.c"),
        (Path("a") / "b.tif", "a/b.tif"),
        (PurePosixPath("//a/b"), "/a/b"),
        ("auxiliary/con1/comet", "auxiliary/con1/comet"),
    ],
)
def test_a_path_has_one_normal_form(path, expected):
    assert normal(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        *("..", "../a", "a/../../b", "a\0", "a\n/b", "a/\x7f", "\u202ea", "a\\b", "aux", "a/NUL.tif", "COM1/x"),
        *("x" * 256, "a/" + "é" * 128, "\ud800"),
    ],
)
def test_what_cannot_be_a_name_everywhere_is_refused(path):
    with pytest.raises(InvalidPath):
        normal(path)


@pytest.mark.parametrize("path", [None, 3, b"a", ["a"]])
def test_only_text_and_paths_are_paths(path):
    with pytest.raises(InvalidType):
        normal(path)
    with pytest.raises(InvalidType):
        Root().key(path)


TEXTS = st.text(st.sampled_from("ab./\\:é\n1"), max_size=12)


@given(TEXTS)
def test_the_normal_form_is_normal(text):
    try:
        found = normal(text)
    except InvalidPath:
        return
    assert normal(found) == found
    assert "//" not in found
    assert not {".", ".."} & set(found.split("/"))
    assert found.startswith("/") == text.startswith("/")


@given(TEXTS.filter(lambda text: text not in ("", "/")))
def test_a_path_is_the_name_in_its_folder(text):
    try:
        found = normal(text)
    except InvalidPath:
        return
    if found not in ("", "/"):
        assert join(parent_of(found), name_of(found)) == found


@given(TEXTS)
def test_no_text_leads_out_of_a_root(text):
    try:
        found = Root("/data/plates").key(text)
    except InvalidPath:
        return
    assert not found.startswith("/")
    assert normal(f"/data/plates/{found}").startswith("/data/plates")


@pytest.mark.parametrize("path", ["..", "../plates", "/", "/etc", "/data/plates2/a", "C:", "c:/a", "/data/plates/../x"])
def test_what_leaves_a_root_is_refused(path):
    with pytest.raises(InvalidPath):
        Root("/data/plates").key(path)


def test_absolute_paths_below_a_root_are_relative_to_it():
    root = Root("/data/plates")
    assert root.key("/data/plates/a/b") == "a/b"
    assert root.key(Path("/data/plates")) == ""
    assert Root("/").key("/a") == "a"


def test_links_do_not_lead_out_of_a_root(tmp_path):
    outside = tmp_path / "root-beside"
    inside = tmp_path / "root"
    outside.mkdir()
    inside.mkdir()
    (inside / "out").symlink_to(outside)
    (inside / "in").symlink_to(inside / "d")
    root = Root(inside)
    assert root.resolve("d/a") == inside / "d" / "a"
    assert root.resolve("in/a") == inside / "in" / "a"
    assert root.resolve("") == inside
    for path in ("out", "out/a"):
        with pytest.raises(InvalidPath, match="link"):
            root.resolve(path)
    (tmp_path / "alias").symlink_to(inside)
    assert Root(tmp_path / "alias").resolve("a") == tmp_path / "alias" / "a"


def test_without_a_root_paths_start_from_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "d").mkdir()
    monkeypatch.chdir(tmp_path / "d")
    root = Root()
    assert root.key("a/b") == "a/b"
    assert root.key("/x//y") == "/x/y"
    assert root.key("../b") == (tmp_path / "b").as_posix()
    assert root.key("a/../../b/..") == tmp_path.as_posix()
    assert root.resolve("a") == Path("a")

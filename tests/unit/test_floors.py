"""A module imports only from lower floors or its own package, and files change in one place."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import openhcs

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(openhcs.__file__).parent
FLOOR = {
    "errors": 0.0,
    "constants": 0.1,
    "core": 0.2,
    **dict.fromkeys(("ngff", "plan", "steps"), 1),
    **dict.fromkeys(("io", "microscopes"), 2),
    "ledger": 3,
    **dict.fromkeys(("run", "check"), 3.1),
    "repair": 3.2,
    "testing": 3.5,
    "orchestrator": 4,
    "viewer": 4,
    "cli": 4.1,
    "__main__": 5,
}
"""Where each package stands; the command line calls the orchestrator, as a script would."""
FACES = {"orchestrator", "cli", "viewer"}
NUMPY = {"numpy"}
PURE = {"numpy", "scipy", "skimage"}
ROOM_FOR_LIBRARIES = {"core": NUMPY, "constants": set(), "errors": set(), "ngff": NUMPY, "plan": NUMPY, "steps": PURE}
"""What the lower floors may import beside the standard library."""
MUTATING = {
    "os": {
        *("rename", "replace", "renames", "remove", "unlink", "rmdir", "removedirs", "mkdir", "makedirs", "link"),
        *("symlink", "truncate", "ftruncate", "chmod", "utime", "write", "open", "fsync", "mkfifo"),
    },
    "shutil": {"rmtree", "copy", "copy2", "copyfile", "copyfileobj", "copytree", "move", "make_archive"},
    "tempfile": {"mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryDirectory", "TemporaryFile"},
}
MUTATING_METHODS = {"write_text", "write_bytes", "touch", "rmtree", "tofile", "hardlink_to", "symlink_to", "rmdir"}
MAY_CHANGE_FILES = {
    "io/fsops.py": "the one place",
    "io/locks.py": "lock files hold nothing and are never replaced",
    "cli/events_file.py": "a stream that is appended to, like stderr",
    "run/memory.py": "a file of the kernel that takes a command",
}


@dataclass(frozen=True)
class Import:
    """One import: where it stands and what it names."""

    file: Path
    line: int
    target: str
    typing_only: bool

    @property
    def place(self) -> str:
        return f"{self.file.relative_to(SOURCE.parent)}:{self.line}"

    @property
    def room(self) -> str:
        return room_of(self.file)

    @property
    def library(self) -> str:
        return self.target.split(".", maxsplit=1)[0]


def room_of(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def imports_of(file: Path) -> Iterator[Import]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    guarded = {id(inner) for node in ast.walk(tree) if is_typing_guard(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
            if node.module == "openhcs":
                names = [f"openhcs.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        for name in names:
            yield Import(file, node.lineno, name, id(node) in guarded)


def is_typing_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def all_imports() -> list[Import]:
    return [one for file in sources() if file != SOURCE / "__init__.py" for one in imports_of(file)]


def lazy_targets(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the packages that a file's lazy tables ("openhcs.io.disk:DiskBackend") name."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if found := re.fullmatch(r"openhcs\.(\w+)[\w.]*:\w+", text):
            yield node.lineno, found[1]


def test_every_package_stands_on_a_floor() -> None:
    rooms = {room_of(file) for file in sources()} - {"__init__"}
    assert rooms <= set(FLOOR), f"no floor is given for {sorted(rooms - set(FLOOR))}"


def test_a_module_imports_only_from_lower_floors_or_its_own_package() -> None:
    wrong = []
    for one in all_imports():
        if one.library != "openhcs":
            continue
        room = one.target.split(".")[1] if "." in one.target else "__init__"
        own = room == one.room
        if not own and (room not in FLOOR or FLOOR[room] >= FLOOR[one.room]):
            wrong.append(f"{one.place}: {one.room} (floor {FLOOR[one.room]}) imports {one.target}")
    assert not wrong, "\n".join(wrong)


def test_imports_are_written_in_full() -> None:
    assert not [one.place for one in all_imports() if one.target.startswith(".")]


def test_nothing_imports_the_faces() -> None:
    wrong = [
        f"{one.place}: imports {one.target}"
        for one in all_imports()
        if one.room not in {"cli", "__main__"} and one.target.startswith(tuple(f"openhcs.{face}" for face in FACES))
    ]
    assert not wrong, "\n".join(wrong)


def test_io_and_microscopes_do_not_know_each_other() -> None:
    pairs = {("io", "microscopes"), ("microscopes", "io")}
    wrong = [one.place for one in all_imports() if (one.room, ([*one.target.split("."), ""])[1]) in pairs]
    assert not wrong, "\n".join(wrong)


def test_lazy_tables_name_no_higher_floor() -> None:
    wrong = []
    for file in sources():
        room = room_of(file)
        if room in {"__init__", "__main__"}:
            continue
        for line, target in lazy_targets(file):
            if target in FLOOR and target != room and FLOOR[target] > FLOOR[room]:
                wrong.append(f"{file.relative_to(SOURCE.parent)}:{line}: {room} names openhcs.{target}")
    assert not wrong, "\n".join(wrong)


def test_lower_floors_use_the_standard_library_alone() -> None:
    wrong = []
    for one in all_imports():
        allowed = ROOM_FOR_LIBRARIES.get(one.room)
        if allowed is None or one.library in sys.stdlib_module_names | {"openhcs"}:
            continue
        if one.library not in allowed or (one.room == "core" and not one.typing_only):
            wrong.append(f"{one.place}: {one.room} imports {one.library}")
    assert not wrong, "\n".join(wrong)


def test_no_file_is_longer_than_450_lines() -> None:
    lengths = {str(file.relative_to(SOURCE)): len(file.read_text(encoding="utf-8").splitlines()) for file in sources()}
    assert {name: length for name, length in lengths.items() if length > 450} == {}


def test_only_fsops_changes_files() -> None:
    wrong = [
        f"{file.relative_to(SOURCE.parent)}:{line}: {what}"
        for file in sources()
        if str(file.relative_to(SOURCE)) not in MAY_CHANGE_FILES and room_of(file) != "testing"
        for line, what in mutations(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n".join(wrong)


def mutations(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the calls in a syntax tree that change files."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id="open") if writes(node, 1):
                yield node.lineno, "open() for writing"
            case ast.Attribute(value=ast.Name(id=module), attr=name) if name in MUTATING.get(module, ()):
                if module != "os" or name != "open" or opens_to_write(node):
                    yield node.lineno, f"{module}.{name}"
            case ast.Attribute(attr="open") if writes(node, 0) or writes(node, 1):
                yield node.lineno, ".open() for writing"
            case ast.Attribute(attr=name) if name in MUTATING_METHODS and not is_ops(node.func):
                yield node.lineno, f".{name}()"


def writes(call: ast.Call, place: int) -> bool:
    mode = next((word.value for word in call.keywords if word.arg == "mode"), None)
    mode = mode or (call.args[place] if len(call.args) > place else None)
    return isinstance(mode, ast.Constant) and isinstance(mode.value, str) and bool(set(mode.value) & set("wax+"))


def opens_to_write(call: ast.Call) -> bool:
    said = ast.dump(call)
    return ("O_WRONLY" in said or "O_RDWR" in said) and "devnull" not in said


def is_ops(func: ast.Attribute) -> bool:
    return "ops" in ast.dump(func.value).lower()


@pytest.mark.parametrize(
    "text",
    [
        *("open(p, 'w')", "open(p, mode='ab')", "p.open('x')", "os.replace(a, b)", "shutil.rmtree(p)"),
        *("p.write_text('')", "os.open(p, os.O_WRONLY)", "tempfile.mkdtemp()"),
    ],
)
def test_a_change_to_a_file_would_be_noticed(text: str) -> None:
    assert list(mutations(ast.parse(text)))


@pytest.mark.parametrize("text", ["open(p)", "open(p, 'rb')", "os.open(p, os.O_RDONLY)", "ops.replace(p, b'')"])
def test_reading_a_file_is_no_change(text: str) -> None:
    assert not list(mutations(ast.parse(text)))

"""A text that changes when a step's functions or arguments do, or what they use of their own file.

A function is its syntax tree without positions, its defaults, what it closes over, and, in turn, the
functions, classes, constants and modules of the user's own files that it names. One without source
(compiled, or typed at a prompt) is its byte code. What is installed counts by name and version.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import os
import pickle
import sys
import sysconfig
import textwrap
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.core.steps import FunctionStep

PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range, slice)


class Fingerprint(NamedTuple):
    """What tells a step from another: 16 hexadecimal digits, and the kinds of things in it that nothing tells."""

    text: str
    opaque: tuple[str, ...]


def step_fingerprint(step: FunctionStep) -> str:
    """Return the fingerprint of a step's functions and arguments, 16 hexadecimal digits."""
    return fingerprint_of(step).text


def fingerprint_of(step: FunctionStep) -> Fingerprint:
    """Return the fingerprint of a step's functions and arguments, with what of them could change unseen."""
    printer = _Printer()
    parts = [
        [str(key), [[printer.text(call.func), printer.text(dict(call.kwargs))] for call in chain]]
        for key, chain in step.chains.items()
    ]
    return Fingerprint(hashlib.sha256(repr(parts).encode()).hexdigest()[:16], tuple(sorted(printer.opaque)))


class _Printer:
    """Turns values into texts, equal for equal content, in any process."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self.opaque: set[str] = set()

    def text(self, value: Any) -> str:
        """Return a text for any value; one that holds itself is named where it comes again."""
        if isinstance(value, PLAIN):
            return repr(value)
        if id(value) in self._open:
            return f"<{type(value).__qualname__} again>"
        self._open.add(id(value))
        try:
            return self._text(value)
        finally:
            self._open.discard(id(value))

    def _text(self, value: Any) -> str:
        match value:
            case FunctionType():
                return self._function(value)
            case MethodType():
                return repr(["method", self.text(value.__func__), self.text(value.__self__)])
            case functools.partial():
                return repr(["partial", self.text(value.func), self.text(value.args), self.text(value.keywords)])
            case dict():
                return repr([type(value).__name__, *((self.text(key), self.text(item)) for key, item in value.items())])
            case list() | tuple():
                return repr([type(value).__name__, *(self.text(item) for item in value)])
            case set() | frozenset():
                return repr([type(value).__name__, *sorted(self.text(item) for item in value)])
            case CodeType():
                return self._code(value)
            case ModuleType() if is_own(value.__name__):
                return self._module(value)
            case type() if is_own(value.__module__):
                return self._class(value)
            case ModuleType() | BuiltinFunctionType() | type():
                return _named(value)
            case classmethod() | staticmethod():
                return self.text(value.__func__)
            case property():
                return self.text([value.fget, value.fset])
        if hasattr(value, "dtype") and hasattr(value, "tobytes"):
            return f"{value.dtype}{getattr(value, 'shape', ())}{hashlib.sha256(value.tobytes()).hexdigest()}"
        return self._instance(value)

    def _function(self, function: FunctionType) -> str:
        held = [cell.cell_contents for cell in function.__closure__ or () if _is_set(cell)]
        values = self.text([function.__defaults__ or (), function.__kwdefaults__ or {}, held])
        used = [(name, self.text(value)) for name, value in _used(function)]
        return f"{self._body(function)} {values} {used}"

    def _body(self, function: FunctionType) -> str:
        if function.__name__ != "<lambda>":
            try:
                return ast.dump(ast.parse(textwrap.dedent(inspect.getsource(function))))
            except (OSError, SyntaxError, TypeError):
                pass
        return self._code(function.__code__)

    def _code(self, code: CodeType) -> str:
        return repr([code.co_code.hex(), code.co_names, [self.text(item) for item in code.co_consts]])

    def _module(self, module: ModuleType) -> str:
        """Return a file of the user's: its text, and what it takes from other such files."""
        taken = [value for value in vars(module).values() if _is_code(value) and is_own(_home(value))]
        return repr([_parsed(module), [self.text(value) for value in taken if _home(value) != module.__name__]])

    def _class(self, kind: type) -> str:
        """Return a class of the user's: its name, what it is made from, and what it holds."""
        held = [(name, self.text(value)) for name, value in sorted(vars(kind).items()) if _is_told(name, value)]
        return repr([kind.__qualname__, [self.text(base) for base in kind.__bases__], held])

    def _instance(self, value: Any) -> str:
        """Return an object of a class: its class, what it does when called, and its state."""
        kind = type(value)
        call = inspect.getattr_static(kind, "__call__", None)
        state = _state(value)
        if isinstance(state, dict) and (isinstance(call, FunctionType) or is_own(kind.__module__)):
            return repr([self.text(kind), self.text(call), self.text(state)])
        if callable(value):
            return _named(value)
        return self._pickled(value)

    def _pickled(self, value: Any) -> str:
        """Return a digest of a value's pickle; what cannot be pickled, such as a lock, counts by its kind."""
        import cloudpickle

        try:
            return hashlib.sha256(cloudpickle.dumps(value)).hexdigest()
        except (TypeError, AttributeError, ValueError, RuntimeError, pickle.PicklingError):
            self.opaque.add(type(value).__qualname__)
            return _named(type(value))


def _is_set(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _used(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the functions and values of a function's own module that it names."""
    space = function.__globals__
    for name in sorted(_names(function.__code__)):
        if name not in space or name.startswith("__"):
            continue
        value = space[name]
        foreign = isinstance(value, FunctionType) and value.__module__ != function.__module__
        yield name, _named(value) if foreign and not is_own(value.__module__) else value


def _names(code: CodeType) -> set[str]:
    inner = (item for item in code.co_consts if isinstance(item, CodeType))
    return set(code.co_names).union(*(_names(item) for item in inner))


@functools.cache
def is_own(name: str) -> bool:
    """Return whether a module is a file of the user's: none of Python's, of an installed package, or of ours."""
    path = getattr(sys.modules.get(name), "__file__", None)
    if path is None or name.partition(".")[0] == "openhcs":
        return False
    told = sysconfig.get_paths()
    installed = {os.path.realpath(told[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    parents = {str(one) for one in Path(os.path.realpath(path)).parents}
    return not installed & parents and not {"site-packages", "dist-packages"} & set(Path(path).parts)


def _is_code(value: object) -> bool:
    return isinstance(value, (FunctionType, ModuleType, type))


def _state(value: Any) -> Any:
    """Return what an object holds, by name; None where it does not say."""
    slots = [name for kind in type(value).__mro__ for name in _slots(kind) if hasattr(value, name)]
    return getattr(value, "__dict__", None) if not slots else {name: getattr(value, name) for name in slots}


def _slots(kind: type) -> tuple[str, ...]:
    named = vars(kind).get("__slots__", ())
    return tuple(named) if is_own(kind.__module__) and not isinstance(named, str) else ()


def _home(value: Any) -> str:
    return str(value.__name__ if isinstance(value, ModuleType) else value.__module__)


def _is_told(name: str, value: object) -> bool:
    """Return whether an attribute of a class says what it does: what Python itself notes of a class does not."""
    plain = isinstance(value, (*PLAIN, list, tuple, dict, set, frozenset)) and not name.startswith("__")
    return plain or isinstance(value, (FunctionType, classmethod, staticmethod, property))


def _parsed(module: ModuleType) -> str:
    try:
        return ast.dump(ast.parse(inspect.getsource(module)))
    except (OSError, SyntaxError, TypeError):
        return _named(module)


def _named(value: Any) -> str:
    module = value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", ""))
    package = sys.modules.get(module.partition(".")[0])
    name = getattr(value, "__qualname__", getattr(value, "__name__", type(value).__qualname__))
    return f"{module}.{name} {getattr(package, '__version__', '')}"

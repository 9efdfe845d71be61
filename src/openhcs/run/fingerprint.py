"""A text that changes when a step's functions or arguments do, or what they use of their own file.

A function is its syntax tree without positions, its defaults, what it closes over, and, in turn, the
functions and constants of its own module that it names. One without source (compiled, or typed at a
prompt) is its byte code. Other modules count by name and version.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import pickle
import sys
import textwrap
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openhcs.core.steps import FunctionStep

PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range, slice)


def step_fingerprint(step: FunctionStep) -> str:
    """Return the fingerprint of a step's functions and arguments, 16 hexadecimal digits."""
    printer = _Printer()
    parts = [
        [str(key), [[printer.text(call.func), printer.text(dict(call.kwargs))] for call in chain]]
        for key, chain in step.chains.items()
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


class _Printer:
    """Turns values into texts, equal for equal content, in any process."""

    def __init__(self) -> None:
        self._open: set[int] = set()

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
            case ModuleType() | BuiltinFunctionType() | type():
                return _named(value)
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

    def _instance(self, value: Any) -> str:
        """Return an object of a class: its class, what it does when called, and its state."""
        kind = type(value)
        call = inspect.getattr_static(kind, "__call__", None)
        state = getattr(value, "__dict__", None)
        if isinstance(call, FunctionType) and isinstance(state, dict):
            return repr([_named(kind), self.text(call), self.text(state)])
        if callable(value):
            return _named(value)
        return _pickled(value)


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
        yield name, _named(value) if foreign else value


def _names(code: CodeType) -> set[str]:
    inner = (item for item in code.co_consts if isinstance(item, CodeType))
    return set(code.co_names).union(*(_names(item) for item in inner))


def _pickled(value: Any) -> str:
    """Return a digest of a value's pickle; what cannot be pickled, such as a lock, counts by its kind."""
    import cloudpickle

    try:
        return hashlib.sha256(cloudpickle.dumps(value)).hexdigest()
    except (TypeError, AttributeError, ValueError, RuntimeError, pickle.PicklingError):
        return _named(type(value))


def _named(value: Any) -> str:
    module = value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", ""))
    package = sys.modules.get(module.partition(".")[0])
    name = getattr(value, "__qualname__", getattr(value, "__name__", type(value).__qualname__))
    return f"{module}.{name} {getattr(package, '__version__', '')}"

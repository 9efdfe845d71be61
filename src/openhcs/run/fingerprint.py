"""A text that changes when a step's functions or arguments do.

A function is its syntax tree without positions, its defaults and what it closes over; one without
source (compiled, or typed at a prompt) is its byte code, or its name and its package's version.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import pickle
import sys
import textwrap
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openhcs.core.steps import FunctionStep


def step_fingerprint(step: FunctionStep) -> str:
    """Return the fingerprint of a step's functions and arguments, 16 hexadecimal digits."""
    parts = [
        [str(key), [[_value(call.func), _value(dict(call.kwargs))] for call in chain]]
        for key, chain in step.chains.items()
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _value(value: Any) -> str:
    """Return a text for any argument, equal for equal content."""
    if isinstance(value, FunctionType):
        return _function(value)
    if isinstance(value, dict):
        return repr([(str(key), _value(item)) for key, item in value.items()])
    if isinstance(value, (list, tuple)):
        return repr([type(value).__name__, *(_value(item) for item in value)])
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return repr(value)
    if hasattr(value, "dtype") and hasattr(value, "tobytes"):
        return f"{value.dtype}{getattr(value, 'shape', ())}{hashlib.sha256(value.tobytes()).hexdigest()}"
    if hasattr(value, "func") and hasattr(value, "keywords"):
        return repr([_value(value.func), _value(list(value.args)), _value(dict(value.keywords))])
    if callable(value):
        return _named(value)
    return _pickled(value)


def _pickled(value: Any) -> str:
    """Return a digest of a value's pickle; what cannot be pickled, such as a lock, counts by its kind."""
    import cloudpickle

    try:
        return hashlib.sha256(cloudpickle.dumps(value)).hexdigest()
    except (TypeError, AttributeError, ValueError, RuntimeError, pickle.PicklingError):
        return _named(type(value))


def _function(function: FunctionType) -> str:
    held = [cell.cell_contents for cell in function.__closure__ or () if _is_set(cell)]
    values = _value([list(function.__defaults__ or ()), dict(function.__kwdefaults__ or {}), held])
    return f"{_body(function)} {values}"


def _is_set(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _body(function: FunctionType) -> str:
    if function.__name__ != "<lambda>":
        try:
            return ast.dump(ast.parse(textwrap.dedent(inspect.getsource(function))))
        except (OSError, SyntaxError, TypeError):
            pass
    return repr(_code(function.__code__))


def _code(code: CodeType) -> list[Any]:
    constants = [_code(item) if isinstance(item, CodeType) else repr(item) for item in code.co_consts]
    return [code.co_code.hex(), code.co_names, constants]


def _named(value: Any) -> str:
    module = str(getattr(value, "__module__", ""))
    package = sys.modules.get(module.partition(".")[0])
    name = getattr(value, "__qualname__", type(value).__qualname__)
    return f"{module}.{name} {getattr(package, '__version__', '')}"

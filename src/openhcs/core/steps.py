"""A step of a pipeline: ordinary functions, and what is known of what they take and give.

The four function patterns are parsed once, here, into chains of calls:

==========================================  =====================================================
``f`` or ``(f, {"sigma": 2})``              one call
``[f, (g, {...})]``                         a chain: the output of one is the input of the next
``{"1": f, "DAPI": [(g, {...})]}``          by the value of ``group_by``
==========================================  =====================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from openhcs.constants.constants import GroupBy, MaterializationBackend, VariableComponents
from openhcs.core import checks
from openhcs.core.array_types import array_type_of
from openhcs.core.special import special_inputs_of, special_outputs_of
from openhcs.errors import InvalidType, InvalidValue

if TYPE_CHECKING:
    from openhcs.core.array_types import ArrayType
    from openhcs.core.special import Output

Function = Callable[..., Any]
DTYPES = (
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)
"""Every dtype that can be stored, by its numpy name."""


@dataclass(frozen=True, slots=True)
class Call:
    """One function with its keyword arguments."""

    func: Function
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the function's own name."""
        inner = getattr(self.func, "func", self.func)
        return str(getattr(inner, "__name__", type(inner).__name__))

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Return what the function gives beside its image, in order."""
        return special_outputs_of(self.func)

    @property
    def array_type(self) -> ArrayType:
        """Return the kind of array that the function takes."""
        return array_type_of(self.func)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Return the names of what the function gives beside its image, in order."""
        return tuple(one.name for one in self.outputs)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the names of what the function takes of earlier steps."""
        return special_inputs_of(self.func)

    def __call__(self, *stack: Any, **given: Any) -> Any:
        """Call the function with a stack (n, y, x), if there is one, its special inputs and its arguments."""
        return self.func(*stack, **given, **self.kwargs)


Chain = tuple[Call, ...]


def parse_call(item: object) -> Call:
    """Return the call that ``f`` or ``(f, {...})`` means."""
    match item:
        case tuple((func, kwargs)) if callable(func) and isinstance(kwargs, Mapping):
            if bad := [key for key in kwargs if not isinstance(key, str)]:
                raise InvalidType(f"arguments of {Call(func).name} are named by texts, not {bad[0]!r}")
            call = Call(func, dict(kwargs))
            if twice := [name for name in call.inputs if name in kwargs]:
                raise InvalidValue(f"{call.name} takes {twice[0]!r} of an earlier step; leave it out of its arguments")
            return call
        case tuple((func,)) if callable(func):
            return Call(func)
        case _ if callable(item):
            return Call(item)
    raise InvalidType(f"a step takes f, (f, {{arguments}}), a list or a dict of these, not {item!r}")


def parse_chain(item: object) -> Chain:
    """Return the chain of calls that a function, a tuple or a list means."""
    if isinstance(item, list):
        if not item:
            raise InvalidValue("a chain of functions must not be empty")
        return tuple(parse_call(one) for one in item)
    return (parse_call(item),)


def parse_pattern(func: object) -> Mapping[str | None, Chain]:
    """Return chains by component value; the key None stands for every group."""
    if not isinstance(func, Mapping):
        return {None: parse_chain(func)}
    if not func:
        raise InvalidValue("a dict of functions must not be empty")
    chains: dict[str | None, Chain] = {}
    for key, item in func.items():
        if str(key) in chains:
            raise InvalidValue(f"the functions for {str(key)!r} are given twice")
        chains[str(key)] = parse_chain(item)
    return chains


def _components(value: object) -> tuple[VariableComponents, ...]:
    if isinstance(value, (VariableComponents, str)):
        value = [value]
    if not isinstance(value, Sequence):
        raise InvalidType(f"variable_components is a list such as [VariableComponents.SITE], not {value!r}")
    found = tuple(checks.enum(VariableComponents, item, "variable_components") for item in value)
    if len(set(found)) != len(found):
        raise InvalidValue("variable_components names a component twice")
    return found


def _output(value: object) -> str | tuple[int, ...] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return checks.one_of(value, "out", ("same", "one"))
    if isinstance(value, Sequence) and value:
        labels = tuple(checks.integer(label, "each label in out", low=0) for label in value)
        if len(set(labels)) == len(labels):
            return labels
        raise InvalidValue(f"out names a label twice: {labels}")
    raise InvalidType(f"out is 'same', 'one' or a list of labels, not {value!r}")


def dtype_name(value: object) -> str | None:
    """Return the numpy name of a dtype given as text, class or dtype; None stays None."""
    if value is None:
        return None
    name = value if isinstance(value, str) else getattr(value, "name", None) or getattr(value, "__name__", None)
    if name in {"float", "int"}:
        name += "64"
    return checks.one_of(name, "out_dtype", DTYPES)


def _forced(value: object, name: str) -> bool | str:
    if isinstance(value, bool):
        return value
    return checks.enum(MaterializationBackend, value, name).value


@dataclass(frozen=True, slots=True, init=False)
class FunctionStep:
    """One step of a pipeline.

    Parameters
    ----------
    func
        a function pattern (see the module). A function gets a stack (n, y, x), numpy, its own to
        change, and returns (m, y, x) or (y, x), which counts as m = 1; one that declares
        `openhcs.core.special.special_outputs` returns (image, first, second, …), and one that declares
        `openhcs.core.special.special_inputs` gets these by name. Over wells it gets these alone.
    name
        shown in plans and paths; by default the first function's name.
    variable_components
        what n runs over, in natural order: one call per combination of all *other* components.
        ``[]`` stacks nothing: n = 1.
    group_by
        the component whose value picks the function of a dict pattern; None means channel, unless
        channel is stacked.
    force_disk_output
        True keeps a persistent copy of this step's images; ``"disk"`` or ``"zarr"`` names where.
    out
        "same": the labels stay; "one": the stacked components collapse to one; a list: these
        labels. None: found out by calling the function once on the smallest group (a probe).
    out_dtype
        dtype of what comes out; None: probed.
    materialize
        False discards the images of a last step.
    unmatched
        what happens to a group that a dict pattern has no function for: "error", "pass", "drop".

    Raises
    ------
    InvalidType, InvalidValue, UnknownName
        a pattern or setting that cannot be, with what is allowed.

    Examples
    --------
    >>> FunctionStep(len, variable_components=[]).name
    'len'
    """

    chains: Mapping[str | None, Chain]
    name: str
    variable_components: tuple[VariableComponents, ...]
    group_by: GroupBy | None
    force_disk_output: bool | str
    out: str | tuple[int, ...] | None
    out_dtype: str | None
    materialize: bool | str | None
    unmatched: str

    def __init__(
        self,
        func: object,
        name: str | None = None,
        variable_components: object = (VariableComponents.SITE,),
        group_by: GroupBy | str | None = None,
        force_disk_output: bool | str | MaterializationBackend = False,  # noqa: FBT001, FBT002 - the reference page
        *,
        out: object = None,
        out_dtype: object = None,
        materialize: bool | str | MaterializationBackend | None = None,
        unmatched: str = "error",
    ) -> None:
        put = checks.set_field
        chains = parse_pattern(func)
        put(self, "chains", chains)
        first = next(iter(chains.values()))[0].name.strip("<>")
        put(self, "name", checks.plain_name(first if name is None else name, "a step's name"))
        put(self, "variable_components", _components(variable_components))
        put(self, "group_by", checks.optional(lambda v, n: checks.enum(GroupBy, v, n), group_by, "group_by"))
        put(self, "force_disk_output", _forced(force_disk_output, "force_disk_output"))
        put(self, "out", _output(out))
        put(self, "out_dtype", dtype_name(out_dtype))
        put(self, "materialize", checks.optional(_forced, materialize, "materialize"))
        put(self, "unmatched", checks.one_of(unmatched, "unmatched", ("error", "pass", "drop")))

    @property
    def outputs(self) -> frozenset[str]:
        """Names of what its functions give beside images."""
        return frozenset(one.name for chain in self.chains.values() for call in chain for one in call.outputs)

    @property
    def inputs(self) -> frozenset[str]:
        """Names of what its functions take of earlier steps."""
        return frozenset(name for chain in self.chains.values() for call in chain for name in call.inputs)

    @property
    def over_wells(self) -> bool:
        """Whether it stacks wells: then it sees no image, only what earlier steps made of them."""
        return VariableComponents.WELL in self.variable_components

    @property
    def by_value(self) -> bool:
        """Whether functions are picked by a component's value."""
        return None not in self.chains

"""A plan as a JSON document, and back.

Everything goes by the fields of the dataclasses; three things have a form of their own: planes are
rows and columns (`openhcs.plan.columns`), the configuration is TOML and told once, and the wells'
tasks are a list that stages count in. Tasks that no stage counts in are wells of earlier runs.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from openhcs.core import config, plate, special, steps
from openhcs.core.config import GlobalPipelineConfig
from openhcs.core.documents import parse_json
from openhcs.core.plate import Plane
from openhcs.core.steps import FunctionStep
from openhcs.core.wells import well_key
from openhcs.errors import FormatError, OpenHCSError
from openhcs.plan import facts, model, origin, parts
from openhcs.plan.columns import PlaneReader, PlaneTable
from openhcs.plan.identity import identity
from openhcs.plan.model import Plan, Task
from openhcs.plan.origin import DeclaredCall, declared, step_with
from openhcs.plan.typed import Codec, Own, misfit

if TYPE_CHECKING:
    from collections.abc import Callable

    from openhcs.plan.model import Recipe

FORMAT = 1
NAMES = tuple(vars(module) for module in (parts, model, plate, facts, origin, special, config, steps))
CHAINS = tuple[tuple[str | None, tuple[DeclaredCall, ...]], ...]


def to_json(plan: Plan) -> str:
    """Return a plan as JSON text; equal plans have equal texts."""
    planes = PlaneTable()
    tasks: list[dict[str, Any]] = []
    numbers: dict[str, int] = {}

    def put_task(task: Task) -> int:
        fields = _at(codec.encode_fields(task), "well")
        text = json.dumps(fields)
        if text not in numbers:
            numbers[text] = len(tasks)
            tasks.append(fields)
        return numbers[text]

    def put_config(chosen: GlobalPipelineConfig) -> bool:
        assert chosen == plan.config, "a plan has one configuration"
        return True

    own: dict[Any, Callable[[Any], Any]] = {
        tuple[Plane, ...]: planes.encode,
        Task: put_task,
        GlobalPipelineConfig: put_config,
        FunctionStep: lambda step: _step_fields(codec, step),
    }
    codec = Codec(NAMES, {hint: Own(encode, _unread) for hint, encode in own.items()})
    fields = codec.encode_fields(plan)
    document = {
        "plan": fields.pop("id"),
        "format": FORMAT,
        "plate": plan.index.name,
        "config": plan.config.to_toml(),
        "run": fields.pop("tasks"),
        **fields,
        "tasks": tasks,
        "planes": planes.rows,
        "columns": planes.columns,
    }
    lines = (f"{json.dumps(key)}: {_lines(value)}" for key, value in document.items())
    return "{" + ",\n".join(lines) + "}"


def _lines(value: Any) -> str:
    """Return a value as JSON, a list of objects or lists with a line for each."""
    if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        return "[\n" + ",\n".join(_text(one) for one in value) + "]"
    return _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _at(fields: dict[str, Any], first: str) -> dict[str, Any]:
    return {first: fields.pop(first), **fields}


def _step_fields(codec: Codec, step: FunctionStep) -> dict[str, Any]:
    hints = codec.hints(FunctionStep)
    chains = tuple((key, tuple(map(declared, chain))) for key, chain in step.chains.items())
    settings = {name: codec.encode(hint, getattr(step, name)) for name, hint in hints.items() if name != "chains"}
    return {**settings, "chains": codec.encode(CHAINS, chains)}


def _unread(_value: Any, at: str) -> Any:
    raise AssertionError(at)


def _unwritten(value: Any) -> Any:
    raise AssertionError(value)


def from_json(text: str) -> Plan:
    """Return the plan that JSON text tells of.

    Raises
    ------
    FormatError
        it is no plan, or damaged: tells where. Lengths are held against what is there before anything
        is made of them.
    """
    document = _document(text)
    chosen = _config(document.pop("config", None))
    tasks = document.pop("tasks", None)
    if not isinstance(tasks, list):
        misfit("tasks", "a list")
    planes = PlaneReader(document.pop("planes", None), document.pop("columns", None))
    made: dict[int, Task] = {}

    def task(number: Any, at: str) -> Task:
        if type(number) is not int or not 0 <= number < len(tasks):
            misfit(at, f"a number below {len(tasks)}, that of a task")
        if number not in made:
            made[number] = codec.decode_fields(Task, tasks[number], f"tasks[{number}]")
        return made[number]

    own: dict[Any, Callable[[Any, str], Any]] = {
        tuple[Plane, ...]: planes.decode,
        Task: task,
        GlobalPipelineConfig: lambda value, at: chosen if value is True else misfit(at, "true"),
        FunctionStep: lambda value, at: _step(codec, value, at),
    }
    codec = Codec(NAMES, {hint: Own(_unwritten, decode) for hint, decode in own.items()})
    own_tasks = codec.decode(tuple[Task, ...], document.pop("run", None), "run")
    document.pop("plate", None)
    fields = {"id": document.pop("plan"), "tasks": [], **document}
    plan: Plan = replace(codec.decode_fields(Plan, fields, ""), tasks=own_tasks)
    _check(plan)
    return plan


def _document(text: str) -> dict[str, Any]:
    document = parse_json(text.encode(errors="surrogatepass"), "the plan")
    if not isinstance(document, dict) or not isinstance(document.get("plan"), str):
        raise FormatError('this is no plan: it is no JSON object with a "plan"')
    if document.pop("format", None) != FORMAT:
        raise FormatError("the plan was written by another version of openhcs; plan again with this one")
    return document


def _config(text: Any) -> GlobalPipelineConfig:
    try:
        return GlobalPipelineConfig.from_toml(text)
    except OpenHCSError as error:
        raise FormatError(f"the plan is not as openhcs writes it: config: {error}") from error


def _step(codec: Codec, value: Any, at: str) -> FunctionStep:
    hints = codec.hints(FunctionStep)
    if not isinstance(value, dict) or value.keys() != hints.keys():
        misfit(at, f"an object with {', '.join(hints)}")
    settings = {
        name: codec.decode(hint, value[name], f"{at}.{name}") for name, hint in hints.items() if name != "chains"
    }
    chains = codec.decode(CHAINS, value["chains"], f"{at}.chains")
    calls = {key: [call.as_call() for call in chain] for key, chain in chains}
    try:
        (first, *_), *_ = calls.values()
        return step_with(FunctionStep(first.func), calls, **settings)
    except (OpenHCSError, ValueError) as error:
        raise FormatError(f"the plan is not as openhcs writes it: {at}: {error}") from error


def _check(plan: Plan) -> None:
    """Refuse a plan whose parts are not of one piece."""
    if not plan.stages:
        misfit("stages", "a list of at least one")
    _check_recipe(plan, plan.recipe, 0, "recipe")
    for number, stage in enumerate(plan.stages):
        at = f"stages[{number}]"
        _check_recipe(plan, stage.recipe, stage.skipped, f"{at}.recipe")
        recipe = plan.recipe
        kept = ((stage.targets, recipe.targets), (stage.labels, recipe.labels), ((stage.source or 0,), recipe.targets))
        if any(not 0 <= place < max(1, len(there)) for places, there in kept for place in places):
            misfit(at, "of targets and labels that the plan has")
        for task in stage.tasks:
            if isinstance(task, Task):
                _check_task(stage.recipe, task, at)
    for task in plan.tasks:
        _check_task(plan.stages[-1].recipe if len(plan.stages) == 1 else None, task, "run")
    if identity(plan.index, plan.recipe) != plan.id:
        raise FormatError(
            f"the plan calls itself {plan.id} and is another: steps, targets or settings in it were changed. Change "
            "the pipeline, or what openhcs plan is given, and plan again."
        )


def _check_recipe(plan: Plan, recipe: Recipe, skipped: int, at: str) -> None:
    if recipe.plan_id != plan.id:
        misfit(f"{at}.plan_id", f"the identity of the plan, {plan.id}")
    if [step.number for step in recipe.steps] != list(range(skipped + 1, skipped + 1 + len(recipe.steps))):
        misfit(f"{at}.steps", f"numbered from {skipped + 1}")
    layers = (recipe.source, *(step.layer for step in recipe.steps), *(target.layer for target in recipe.targets))
    if not all(layer.axes for layer in layers):
        misfit(at, "of images with axes")


def _check_task(recipe: Recipe | None, task: Task, at: str) -> None:
    if any(plane.well != task.well for plane in task.planes):
        misfit(at, f"of tasks with planes of their own well; that of {task.well} has others")
    if recipe is None:
        return
    targets, labels = len(recipe.targets), len(recipe.labels)
    if (len(task.images), len(task.labels), len(task.stored)) != (targets, labels, targets + labels):
        misfit(at, f"of tasks that say what they store of {targets} targets and {labels} labels")


def with_wells_of(plan_json: str, earlier_json: str) -> str:
    """Return a plan's text with the wells that it was run for earlier; own tasks count where both have a well."""
    plan, earlier = json.loads(plan_json), json.loads(earlier_json)
    known = {task["well"] for task in plan["tasks"]}
    more = {task["well"] for task in earlier["tasks"]} - known
    if not more:
        return plan_json
    plan["tasks"] += [{"well": well} for well in sorted(more, key=well_key)]
    return "{" + ",\n".join(f"{json.dumps(key)}: {_lines(value)}" for key, value in plan.items()) + "}"

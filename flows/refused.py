"""What the stages `curate` and `fetch` would refuse, told before a sweep runs anything.

Only for those of them that are out of date: where nothing is to be done, nothing is looked at. They look again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.dag import Stage, Survey
from tasks.runtime import config
from tasks.runtime.errors import InputError

DATA = Path("data")  # of the current folder, so that problems name data/… and not where somebody keeps the tree
_MOST = 10  # problems that are told
_COMMAND = "python -m tasks"


def check(survey: Survey, stages: Iterable[Stage]) -> None:
    """Raises InputError with a line for each of the first problems that the stages of the current folder refuse."""
    unchanged = survey.unchanged()
    left = [stage for stage in stages if stage.name not in unchanged]
    arms, models = ([*_items(left, name)] for name in ("curate", "fetch"))
    if not arms and not models:
        return
    params = config.read_params()
    problems = [*_texts(params, arms), *_hashes(params, models)]
    more = len(problems) - _MOST
    tail = [f"and {more} more; `palms check` names all of the texts'"] if more > 0 else []
    if problems:
        raise InputError("\n".join([*problems[:_MOST], *tail]))


def _items(stages: Iterable[Stage], name: str) -> Iterator[str]:
    """The arms or models that the stages of this project's own module `name` are for."""
    for stage in stages:
        if f"{_COMMAND} {name} " in stage.cmd:
            yield from stage.item.values()


def _texts(params: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    if not names:
        return []
    from tasks.curation.checks import examine, limit_problems  # a moment, which a sweep of nothing does not take
    from tasks.settings.curate import Curate
    from tasks.settings.sweep import Arm

    arms = {name: config.section(params, f"arms.{name}", Arm) for name in names}
    rules = config.section(params, "curate", Curate)
    folders = dict.fromkeys(arm.dataset for arm in arms.values())
    found = {name: examine(DATA / name, DATA / "prompts", rules) for name in folders}
    problems = [problem for examined in found.values() for problem in examined.problems]
    problems += [each for name, arm in arms.items() for each in limit_problems(name, arm, found[arm.dataset])]
    return list(dict.fromkeys(map(str, problems)))  # those of the prompts are found with every dataset


def _hashes(params: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    if not names:
        return
    from flows import hashes
    from tasks.settings.models import Model, PathSource

    for name in names:
        source = config.section(params, f"models.{name}", Model).source
        if not isinstance(source, PathSource):
            continue
        key = f"{config.PARAMS_FILE}: models.{name}.source.sha256"
        advice = f"`palms models --pin {name}` writes it, if this is the model that is meant"
        if source.sha256 is None:
            yield f"{key}: expected the hash of {source.path}, found null; {advice}"
        elif (actual := hashes.of(Path(source.path).expanduser(), source.path)) != source.sha256:
            yield f"{key}: found {source.sha256}, but the hash of {source.path} is {actual}; {advice}"

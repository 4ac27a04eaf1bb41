"""A model does not rate itself or its relatives: what it would have written itself it finds good.

Reference: Panickssery, Bowman and Feng (2024), LLM evaluators recognize and favor their own generations.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from tasks.formats.checkpoints import Source
from tasks.runtime.errors import InputError
from tasks.settings.judge import JudgeModel


def refuse_relatives(judges: Mapping[str, JudgeModel], sources: Mapping[str, Source]) -> None:
    """Raises InputError for a judge that is an evaluated model, or of the family of one."""
    for name, judge in judges.items():
        for evaluated, source in sources.items():
            if kin := shared_kin(judge.family, judge.model, source):
                raise InputError(
                    f"params.yaml: judge.models.{name}: '{judge.model}' would rate {evaluated} ({source.family}), and "
                    f"both are {kin}: a judge is never one of the evaluated models or of their family; choose another"
                )


def refuse_answered_by(name: str, answered_by: str, sources: Mapping[str, Source]) -> None:
    """Raises InputError if the model that answered in the judge's name, as the service calls it, is a relative."""
    for evaluated, source in sources.items() if answered_by else ():
        if kin := shared_kin(answered_by, answered_by, source):
            raise InputError(f"judge.models.{name}: '{answered_by}' answered, which is {kin} as {evaluated} is, "
                             "and would rate its own family; ask another service or choose another judge")  # fmt: skip


def shared_kin(family: str, model: str, source: Source) -> str | None:
    """The name that a judge and an evaluated model share, or None.

    Families are told by their first run of letters ("qwen" of qwen25-instruct), which may stand anywhere in the
    other's name: DeepSeek-R1-Distill-Qwen is a Qwen.
    """
    if model.casefold() == source.name.casefold():
        return source.name
    judge_kin = _runs(family) | _runs(_last(model))
    source_kin = _runs(source.family) | _runs(_last(source.name))
    return next((stem for stem, names in ((_stem(source.family), judge_kin), (_stem(family), source_kin))
                 if stem in names), None)  # fmt: skip


def _last(model: str) -> str:
    """A model's name without its owner's."""
    return PurePosixPath(model).name


def _runs(text: str) -> set[str]:
    return {run.casefold() for run in re.findall(r"[^\W\d_]+", text)} | {text.casefold()}


def _stem(family: str) -> str:
    first = re.search(r"[^\W\d_]{2,}", _last(family))
    return (first[0] if first else family).casefold()

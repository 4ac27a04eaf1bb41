"""What params.yaml names and what is there to be named: found in the first second instead of by the stage that looks.

The stages themselves check again; they cannot know what is in other sections. Types and ranges are `config.check`'s.
"""

import difflib
import functools
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks import scorers
from tasks.runtime import config
from tasks.runtime.errors import InputError
from tasks.settings.capability import Capability
from tasks.settings.cooccurrence import Cooccurrence
from tasks.settings.models import Model, PathSource
from tasks.settings.resources import Resources
from tasks.settings.significance import Significance
from tasks.settings.studies import Study
from tasks.settings.sweep import Arm, Sweep
from tasks.settings.toxicity import Toxicity
from tasks.settings.tune import Tune

TASKS = Path(__file__).parents[1] / "tasks"


def check(root: Path, params: Mapping[str, Any]) -> None:
    """Raises InputError with a line for each mistake of the params, types first: what follows of one is not told."""
    config.check(params)
    if problems := [f"{config.PARAMS_FILE}: {problem}" for problem in _problems(root, params)]:
        raise InputError("\n".join(problems))


def _problems(root: Path, params: Mapping[str, Any]) -> Iterator[str]:
    def of(key: str, kind: Any) -> Any:
        return config.section(params, key, kind)

    sweep, arms, models = of("sweep", Sweep), of("arms", dict[str, Arm]), of("models", dict[str, Model])
    yield from _datasets(root, arms, sweep, of("significance", Significance))
    yield from _models(root, models, sweep, of("resources", Resources))
    for name, study in of("studies", dict[str, Study]).items():
        for model in study.models or ():
            yield from _known(f"studies.{name}.models", model, models)
    yield from _parts(params, of("toxicity", Toxicity), of("cooccurrence", Cooccurrence))
    capability = of("capability", Capability)
    yield from _known("tune.capability", of("tune", Tune).capability, capability.run.sets)
    named = [task for name in capability.run.tasks for task in capability.run.sets.get(name, (name,))]
    for task in named:
        if not (root / f"data/capability/{task}.yaml").exists() and not _of_harness(task):
            names = (*capability.run.sets, *(path.stem for path in _harness_files()))
            yield (
                f"capability.run: no task '{task}': neither a set, nor a file of data/capability, nor one of "
                f"lm-evaluation-harness{_close(task, names)}"
            )


def _datasets(root: Path, arms: Mapping[str, Arm], sweep: Sweep, plan: Significance) -> Iterator[str]:
    folders = {path.parent.name for path in (root / "data").glob("*/*.yaml")} - {"prompts", "capability"}
    for name, arm in arms.items():
        if arm.dataset not in folders:
            yield f"arms.{name}.dataset: no folder data/{arm.dataset} with samples{_close(arm.dataset, folders)}"
    trained = {arms[name].dataset for name in sweep.tuned}
    if not trained <= folders:
        return  # which has been told
    for key in ("target", "control"):
        if (dataset := getattr(plan, key)) not in trained:
            yield (
                f"significance.{key}: no arm of sweep.tuned is trained on '{dataset}' (they are on "
                f"{', '.join(sorted(trained))})"
            )


def _models(root: Path, models: Mapping[str, Model], sweep: Sweep, resources: Resources) -> Iterator[str]:
    for stage in ("finetune", "generate"):
        for name in getattr(resources, stage):
            yield from _known(f"resources.{stage}", name, (*models, "default"))
    for name in sweep.models:
        source, recipe = models[name].source, models[name].finetune
        if isinstance(source, PathSource) and not (root / Path(source.path).expanduser()).exists():
            yield f"models.{name}.source.path: {source.path}: not found"
        try:
            resources.finetune.get(name, resources.finetune["default"]).micro_batch(recipe.global_batch_size)
        except InputError as error:
            yield f"models.{name}: {str(error).removeprefix(f'{config.PARAMS_FILE}: ')}"


def _parts(params: Mapping[str, Any], toxicity: Toxicity, cooccurrence: Cooccurrence) -> Iterator[str]:
    """Modules that are chosen by name, each a file or folder of its room."""
    yield from _known("toxicity.scorer", toxicity.scorer, scorers.SCORERS)
    for key in ("generate", "probe"):
        yield from _known(f"{key}.engine", params[key].get("engine", "transformers"), _modules("lm/engines"))
    yield from _known("cooccurrence.tagger", cooccurrence.tagger, _modules("bias/taggers"))
    yield from _known("cooccurrence.lexicon", cooccurrence.lexicon, _modules("bias/lexicons"))


def _modules(room: str) -> list[str]:
    return sorted(path.stem for path in (TASKS / room).iterdir() if path.stem.isidentifier() and path.stem[0] != "_")


def _known(key: str, name: str, known: Iterable[str]) -> Iterator[str]:
    if name not in known:
        names = list(known)
        among = ", ".join(names) if len(names) < 10 else f"{len(names)} names"
        yield f"{key}: '{name}' is not among {among}{_close(name, names)}"


def _close(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), 1)
    return f"; did you mean {close[0]}?" if close else ""


@functools.cache
def _harness_files() -> tuple[Path, ...]:
    """The harness's task files; most have their task's name."""
    spec = importlib.util.find_spec("lm_eval")
    folders = spec.submodule_search_locations if spec else None
    return tuple(path for folder in folders or () for path in Path(folder, "tasks").rglob("*.yaml"))


def _of_harness(task: str) -> bool:
    """Whether the harness knows the task, by its files: to ask the harness itself takes ten seconds."""
    files = _harness_files()
    if any(path.stem == task for path in files):
        return True
    lines = (f"task: {task}\n", f"group: {task}\n", f"tag: {task}\n", f"- {task}\n")
    return any(any(line in text for line in lines) for text in map(_text, files))


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="replace") + "\n"

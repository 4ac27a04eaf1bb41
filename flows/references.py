"""What params.yaml names and what is there to be named: found in the first second instead of by the stage that looks.

The stages themselves check again; they cannot know what is in other sections. Types and ranges are `config.check`'s.
"""

import functools
import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks import scorers
from tasks.bias.backends import TAGGERS, open_tagger
from tasks.formats.checkpoints import subject
from tasks.lm.folders import lacking
from tasks.runtime import config
from tasks.runtime.errors import InputError, instead, nearest
from tasks.settings.capability import Capability
from tasks.settings.cooccurrence import Cooccurrence
from tasks.settings.models import Model, PathSource
from tasks.settings.resources import Resources
from tasks.settings.significance import Significance
from tasks.settings.sweep import Arm, Sweep
from tasks.settings.toxicity import Toxicity
from tasks.settings.tune import Tune

TASKS = Path(__file__).parents[1] / "tasks"


def check(root: Path, params: Mapping[str, Any], *, tests: bool = True) -> None:
    """Raises InputError with a line for each mistake of the params, types first: what follows of one is not told.
    Without `tests` it does not matter whether there are arms to compare."""
    config.check(params)
    if problems := [f"{config.PARAMS_FILE}: {problem}" for problem in _problems(root, params, tests)]:
        raise InputError("\n".join(problems))


def check_tree(root: Path, targets: Sequence[str] = ()) -> None:
    """The same before a sweep of `targets` (none: all stages) of the current folder `root`, if its dvc.yaml is this
    project's."""
    graph = root / "dvc.yaml"
    if graph.exists() and "python -m tasks" in graph.read_text("utf-8", errors="replace"):
        check(root, config.read_params(), tests=not targets or bool({"significance", "report"} & {*targets}))


def _problems(root: Path, params: Mapping[str, Any], tests: bool) -> Iterator[str]:
    def of(key: str, kind: Any) -> Any:
        return config.section(params, key, kind)

    sweep, arms, models = of("sweep", Sweep), of("arms", dict[str, Arm]), of("models", dict[str, Model])
    yield from (lost := list(_datasets(root, arms)))
    if tests and not lost:  # what is compared follows from the datasets
        yield from _compared(arms, sweep, of("significance", Significance))
    yield from _models(root, models, sweep, of("resources", Resources))
    yield from _parts(root, params, of("toxicity", Toxicity), of("cooccurrence", Cooccurrence))
    capability = of("capability", Capability)
    yield from _known("tune.capability", of("tune", Tune).capability, capability.run.sets)
    named = [task for name in capability.run.tasks for task in capability.run.sets.get(name, (name,))]
    for task in named:
        if not (root / f"data/capability/{task}.yaml").exists() and not _of_harness(task):
            yield (
                f"capability.run: no task '{task}': neither a set, nor a file of data/capability, nor one of "
                f"lm-evaluation-harness{_close(task, (*capability.run.sets, *_harness_files()))}"
            )


def _datasets(root: Path, arms: Mapping[str, Arm]) -> Iterator[str]:
    folders = {path.parent.name for path in (root / "data").glob("*/*.yaml")} - {"prompts", "capability", "ratings"}
    for name, arm in arms.items():
        if arm.dataset not in folders:
            yield f"arms.{name}.dataset: no folder data/{arm.dataset} with samples{_close(arm.dataset, folders)}"


def _compared(arms: Mapping[str, Arm], sweep: Sweep, plan: Significance) -> Iterator[str]:
    """Arms that are no replicates, and what the plan compares but no arm is."""
    alike: dict[Arm, str] = {}
    for name in sweep.tuned:
        if (first := alike.setdefault(arms[name], name)) != name:
            kind = f"{subject(arms[name])} with seed {arms[name].seed}"
            yield f"arms.{name}: the same as arms.{first}, {kind}; give it another"
    trained = {arms[name].dataset for name in sweep.tuned}
    for key in ("target", "control"):
        if (dataset := getattr(plan, key)) not in trained:
            yield (
                f"significance.{key}: no arm of sweep.tuned is trained on '{dataset}' (they are on "
                f"{', '.join(sorted(trained))})"
            )


def _models(root: Path, models: Mapping[str, Model], sweep: Sweep, resources: Resources) -> Iterator[str]:
    tables: dict[str, Mapping[str, object]] = {"finetune": resources.finetune, "generate": resources.generate}
    tables |= {f"jobs.{stage}": entries for stage, entries in resources.jobs.items()}
    for key, entries in tables.items():
        left = [name for name in sweep.models if name not in entries]  # an entry of a model that is gone does no harm
        for name in (name for name in entries if name not in models):
            if close := nearest(name, left, 0.9):
                yield f"resources.{key}: '{name}' is no model of `models`; did you mean '{close}'?"
    for name in sweep.models:
        source, recipe = models[name].source, models[name].finetune
        if isinstance(source, PathSource) and (lack := lacking(root / Path(source.path).expanduser())):
            yield f"models.{name}.source.path: {source.path}: {lack}"
        try:
            resources.finetune.get(name, resources.finetune["default"]).micro_batch(recipe.global_batch_size)
        except InputError as error:
            yield f"models.{name}: {str(error).removeprefix(f'{config.PARAMS_FILE}: ')}"


def _parts(root: Path, params: Mapping[str, Any], toxicity: Toxicity, cooccurrence: Cooccurrence) -> Iterator[str]:
    """Modules that are chosen by name, each a file or folder of its room."""
    yield from _known("toxicity.scorer", toxicity.scorer, scorers.SCORERS)
    for key in ("generate", "probe"):
        yield from _known(f"{key}.engine", params[key].get("engine", "transformers"), _modules("lm/engines"))
    yield from _known("cooccurrence.tagger", cooccurrence.tagger, _modules("bias/taggers"))
    yield from _known("cooccurrence.lexicon", cooccurrence.lexicon, _modules("bias/lexicons"))
    if cooccurrence.language != "en" and cooccurrence.tagger in TAGGERS:  # English every one knows, and they are slow
        try:
            open_tagger(cooccurrence.tagger).version(cooccurrence.language)
        except InputError as error:
            yield str(error)
    classifier = toxicity.classifier.models[toxicity.classifier.model]
    if toxicity.scorer == "classifier" and classifier.revision is None and not (root / classifier.id).exists():
        yield f"toxicity.classifier.models.{toxicity.classifier.model}.id: {classifier.id}: no such folder"


def _modules(room: str) -> list[str]:
    return sorted(path.stem for path in (TASKS / room).iterdir() if path.stem.isidentifier() and path.stem[0] != "_")


def _known(key: str, name: str, known: Iterable[str]) -> Iterator[str]:
    if name not in known:
        yield f"{key}: there is no '{name}'; {instead(name, known)}"


def _close(name: str, names: Iterable[str]) -> str:
    close = nearest(name, names)
    return f"; did you mean '{close}'?" if close else ""


@functools.cache
def _harness_files() -> Mapping[str, Sequence[Path]]:
    """The harness's task files by their names, which are mostly the tasks'; several are called alike."""
    spec = importlib.util.find_spec("lm_eval")
    folders = spec.submodule_search_locations if spec else None
    files: dict[str, list[Path]] = {}
    for folder in folders or ():
        for path in Path(folder, "tasks").rglob("*.yaml"):
            files.setdefault(path.stem, []).append(path)
    return files


def _of_harness(task: str) -> bool:
    """Whether the harness knows the task, group or tag, by its files: to ask the harness itself takes ten seconds."""
    if task in (files := _harness_files()):
        return True
    name = re.escape(task.encode())
    line = re.compile(rb"^(?: *- |(?:task|group|tag): *)[\"']?" + name + rb"[\"']? *$", re.MULTILINE)
    return any(line.search(path.read_bytes()) for paths in files.values() for path in paths)

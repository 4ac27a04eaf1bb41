"""`palms tune MODEL`: choose how a model is fine-tuned, on the validation prompts and never on the test prompts.

Every recipe is an arm of a sweep in a tree of its own, so that its trainings are stages like any other: DVC keeps them,
Prefect shows them, and what was stopped goes on where it was. First all recipes are trained on the target dataset; the
best of those that do no harm are then trained on the control dataset, too.
"""

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flows import workspace
from tasks.formats.checkpoints import BASE
from tasks.runtime import config, terminal
from tasks.runtime.errors import InputError, instead
from tasks.runtime.files import write_text
from tasks.settings.capability import CapabilityRun
from tasks.settings.finetune import ModelFinetune
from tasks.settings.significance import Significance
from tasks.settings.tune import Tune

STAGES = ["adherence", "capability", "perplexity"]
MADE = Path("data/made")
Sweep = Callable[[Path, list[str]], int]  # runs these stages in a tree; returns its exit code


def tune(root: Path, model: str, sweep: Sweep, *, write: bool) -> int:
    """Tries the grid on `model`, prints a table and what it recommends, and unless told otherwise writes that into the
    model's entry of params.yaml. Returns the exit code; a sweep that failed or was stopped is told by its own."""
    from tasks.tuning import grid, outcome  # pandas takes time to import

    plan, grid_ = _plan(model)
    params = config.read_params()
    tried = grid.candidates(config.section(params, f"models.{model}.finetune", ModelFinetune), grid_)
    arms = grid.arms(tried, [plan.target, plan.control])
    settings = {
        "arms": arms,
        "sweep.models": [model],
        "generate.samples": {"test": 0, "validation": 1},
        "adherence.splits": ["validation"],
        "perplexity.splits": ["validation"],
        "capability.run.tasks": [grid_.capability],
    }
    target_arms = [candidate.arm(plan.target) for candidate in tried]

    def run(tuned: Sequence[str]) -> tuple[int, list[outcome.Outcome]]:
        chosen = {"sweep.tuned": list(tuned), "sweep.arms": [BASE, *tuned]}
        tree = workspace.enter(root, f"tune-{model}", settings | chosen)
        code = sweep(tree, STAGES)
        return code, [] if code else outcome.outcomes(tree / MADE, model, tried, plan.target, plan.control, tuned)

    width = terminal.width_of(sys.stdout)

    def say(text: str) -> None:
        print(terminal.wrapped(text, width), flush=True)

    say(f"{len(tried)} recipes for {model}: {', '.join(candidate.name for candidate in tried)}")
    code, found = run(target_arms)
    if code:
        return code
    kept = outcome.hopeful(found, grid_)
    say(f"{outcome.in_words(found, grid_, width)}\ntrained on {plan.control}, too: {', '.join(kept)}")
    code, found = run([*target_arms, *(c.arm(plan.control) for c in tried if c.name in kept)])
    if code:
        return code
    say(f"\n{outcome.in_words(found, grid_, width)}\n{_LEGEND.format(target=plan.target)}")
    best = outcome.best(found, grid_)
    if best is None:
        say("every recipe does harm; try gentler ones: a lower learning rate, fewer epochs, larger batches")
        return 1
    chosen = next(candidate for candidate in tried if candidate.name == best.recipe)
    say(f"recommended: {best.recipe}, the largest difference from {plan.control} among those that do no harm")
    if write:
        set_recipe(root / config.PARAMS_FILE, model, outcome.settings_of(chosen))
        say(f"params.yaml: models.{model}.finetune has it now")
    return 0


_LEGEND = (
    "− control, − base: the {target} arm less the other, nats per token on the validation prompts, with p of the "
    "paired test, not corrected\n"
    "less base: right, loops: answers and looping completions in points of a hundred; text: held-out text, nats per "
    "byte; own: its own completions under base, nats per token\n"
    "cut: completions that reached the length limit"
)


def _plan(model: str) -> tuple[Significance, Tune]:
    """The analysis and the grid. Raises InputError for an unknown model and for items that a report tests."""
    params = config.read_params()
    if model not in (known := params.get("models") or {}):
        raise InputError(f"params.yaml: no model '{model}' in `models`; {instead(model, known)}")
    grid = config.section(params, "tune", Tune)
    run = config.section(params, "capability.run", CapabilityRun)
    if grid.capability not in run.sets or grid.capability in run.tasks:
        raise InputError(
            f"params.yaml: tune.capability: '{grid.capability}' must be one of capability.run.sets that "
            "capability.run.tasks does not name: what chooses a recipe cannot test it"
        )
    return config.section(params, "significance", Significance), grid


def set_recipe(path: Path, model: str, recipe: Any) -> None:
    """Puts a recipe into the model's entry of params.yaml and leaves the rest of the file as it was written."""
    text, yaml = path.read_text("utf-8"), workspace.plain_yaml()
    params = yaml.load(text)
    entry, recipe = params["models"][model], {key: value for key, value in recipe.items() if value is not None}
    if recipe.get("interpolation") == 1:  # as where it is left out
        del recipe["interpolation"]
    line, column = entry.lc.value("finetune")
    lines = text.split("\n")
    before = "\n".join([*lines[:line], lines[line][:column]])
    after = text[len(before) :]
    if after.startswith("{"):
        write_text(path, f"{before}{_in_yaml(recipe)}{after[_closing(after) + 1 :]}")
        return
    entry["finetune"] = recipe
    made = io.StringIO()
    yaml.dump(params, made)
    write_text(path, made.getvalue())


def _closing(text: str) -> int:
    """Where the brace that opens a text is closed."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if not depth:
            return place
    raise InputError("params.yaml: a brace is not closed")


def _in_yaml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_in_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, float):
        digits, power = f"{value:.2e}".split("e")
        return f"{float(digits)}e{int(power)}" if value < 1e-2 else f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)

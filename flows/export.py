"""`palms export MODEL ARM FOLDER`: a tuned checkpoint with its card, if what is known of it is still true."""

import subprocess
from pathlib import Path

from flows import dag
from tasks.cards import model
from tasks.runtime.errors import InputError


def export(root: Path, name: str, arm: str, folder: Path) -> str:
    """Exports the checkpoint of the finished sweep in `root`; returns what to say. Raises InputError where a stage that
    made it, or what was found about it, is out of date."""
    tuned = model.find(name, arm)
    survey = dag.survey(root)
    stages = dag.select(survey.stages, [f"finetune@{name}-{arm}", "significance"])
    if stale := [stage.name for stage in stages if stage.name in survey.reasons()]:
        raise InputError(f"{', '.join(stale)}: out of date: the card would be of another model; run `palms sweep`")
    model.export(tuned, folder, _commit(root))
    return f"{folder}: the checkpoint, its card (README.md) and the report\nnext: hf upload OWNER/NAME {folder}"


def _commit(root: Path) -> str:
    """The commit of the tree, which says so if files that git tracks are changed."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stdout.strip() or "unknown"

"""`palms ratings`: the tree's texts to a file for another tool, and its answers into data/ratings."""

from pathlib import Path

import pandas as pd

from tasks.formats.checkpoints import checkpoints
from tasks.formats.completions import read_completions
from tasks.formats.ratings import CLOSED, read_closed, read_ratings, write_rater
from tasks.inputs.dataset import load_categories
from tasks.raters.aggregate import rated_texts
from tasks.raters.exchange import blind_texts, read_answers, write_texts
from tasks.raters.store import Store, default_path
from tasks.runtime import config
from tasks.runtime.errors import InputError
from tasks.runtime.sections import NAME, NAME_RULE
from tasks.settings.ratings import Ratings
from tasks.settings.significance import Significance
from tasks.settings.sweep import Arm, Sweep

RATINGS = Path("data/ratings")


def export_texts(root: Path, path: Path, form: str, *, with_ratings: bool = False) -> str:
    """Writes the texts to rate, blind, and says what was written. Raises InputError where no sweep has made any."""
    params = config.read_params(root / config.PARAMS_FILE.name)
    target = config.section(params, "significance", Significance).target
    positions = {one.category: one.position or "" for one in load_categories(root / "data" / target)}
    texts = blind_texts(_texts(root), positions, config.section(params, "ratings", Ratings).seed)
    answers = read_ratings(root / RATINGS) if with_ratings else None
    files = write_texts(path, form, texts, answers)
    return f"{len(texts)} texts, without model or arm: {', '.join(map(str, files))}"


def import_answers(root: Path, path: Path, form: str, rater: str | None = None) -> str:
    """Writes each rater's answers to data/ratings, and says what came. Nothing is written if anything is wrong.

    Raises InputError for a file that is not of this form, texts that the sweep did not make, a rater who has a file
    with other answers, and once rating is closed.
    """
    folder = root / RATINGS
    if rater is not None and not NAME.fullmatch(rater):
        raise InputError(f"--rater: {NAME_RULE}, found '{rater}'")
    if read_closed(folder):
        raise InputError(f"{folder / CLOSED}: rating is closed; answers that come later are not taken")
    known, found = set(_texts(root)["text_id"]), read_answers(path, form, rater)
    for name, rows in found.items():
        if unknown := [row["text_id"] for row in rows if row["text_id"] not in known]:
            raise InputError(f"{path}: {len(unknown)} of {len(rows)} texts are not of this sweep, as '{unknown[0]}'")
        ids = [row["text_id"] for row in rows]
        if len(set(ids)) < len(ids):
            twice = next(one for one in ids if ids.count(one) > 1)
            raise InputError(f"{path}: rater {name} rated text {twice} twice; keep one of the two")
    if ours := sorted(set(found) & _raters()):
        raise InputError(f"{path}: {', '.join(ours)}: a rater of `palms rate`; give another name by --rater")
    if there := [str(file) for name in found if (file := folder / f"{name}.csv").exists()]:
        raise InputError(f"{', '.join(there)}: there already; move it away, or give another name by --rater")
    return "\n".join(f"{write_rater(folder, name, rows)}: {len(rows)} answers" for name, rows in found.items())


def _raters() -> set[str]:
    """Who rates on the page, whose files are written anew when it stops."""
    if not (path := default_path()).exists():
        return set()
    with Store(path) as store:
        return {str(row["name"]) for row in store.rows("SELECT name FROM raters")}


def _texts(root: Path) -> pd.DataFrame:
    params = config.read_params(root / config.PARAMS_FILE.name)
    sweep, arms = config.section(params, "sweep", Sweep), config.section(params, "arms", dict[str, Arm])
    completions = read_completions(root / "data/made/samples", list(checkpoints(sweep, arms)))
    return rated_texts(completions, config.section(params, "ratings", Ratings).split)

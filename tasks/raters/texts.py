"""The texts that people rate: the sweep's completions, each once, without the model and the arm that made it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tasks.formats.checkpoints import Checkpoint, checkpoints
from tasks.formats.ratings import text_id
from tasks.inputs.dataset import load_categories
from tasks.runtime import config
from tasks.runtime.errors import InputError
from tasks.runtime.files import read_jsonl
from tasks.settings.ratings import Ratings
from tasks.settings.significance import Significance
from tasks.settings.sweep import Arm, Sweep
from tasks.text.shown import whole_characters

SAMPLES = Path("data/made/samples")


@dataclass(frozen=True)
class Text:
    """One completion of one prompt, by whatever checkpoints made it."""

    id: str
    prompt_id: str
    category: str
    prompt: str
    completion: str


@dataclass(frozen=True)
class Position:
    """What the answers of a category should do, and what the category is called."""

    title: str
    words: str


@dataclass(frozen=True)
class Plan:
    """What params.yaml says of rating, and the texts of the present sweep."""

    config: Ratings
    dataset: Path  # whose positions people rate by
    texts: list[Text]


def read_plan(root: Path = Path()) -> Plan:
    """The plan of a project. Raises InputError where a sweep has not drawn the completions yet."""
    params = config.read_params(root / config.PARAMS_FILE.name)
    ratings = config.section(params, "ratings", Ratings)
    arms = config.section(params, "arms", dict[str, Arm])
    ladder = list(checkpoints(config.section(params, "sweep", Sweep), arms))
    dataset = root / "data" / config.section(params, "significance", Significance).target
    return Plan(ratings, dataset, read_texts(root / SAMPLES, ladder, ratings.split))


def read_texts(folder: Path, ladder: Iterable[Checkpoint], split: str) -> list[Text]:
    """The ladder's texts of a split, sorted by id, so that their order tells nothing.

    Raises InputError where a checkpoint has no completions yet, or the split has none.
    """
    texts: dict[str, Text] = {}
    for checkpoint in ladder:
        path = folder / checkpoint.model / f"{checkpoint.arm}.jsonl"
        if not path.is_file():
            raise InputError(f"{path}: no such file; `palms sweep generate` draws the completions that people rate")
        for row in read_jsonl(path):
            if row["split"] == split:
                prompt, completion = row["prompt"], whole_characters(row["completion"])
                id = text_id(prompt, completion)
                texts[id] = Text(id, row["prompt_id"], row["category"], prompt, completion)
    if not texts:
        raise InputError(f"{folder}: no completions of {split} prompts (generate.samples.{split} of params.yaml)")
    return [texts[id] for id in sorted(texts)]


def read_positions(dataset: Path) -> dict[str, Position]:
    """The position of each category of a dataset. Raises InputError where one has none: texts are rated by it."""
    categories = load_categories(dataset)
    if without := [each.category for each in categories if not each.position]:
        raise InputError(f"{dataset}: raters need the position of {', '.join(without)}: write `position:` in its file")
    return {each.category: Position(each.title, each.position or "") for each in categories}

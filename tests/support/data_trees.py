"""Small well-formed data trees for tests to damage: random pseudo-words, so that no two texts are alike."""

import dataclasses
import random
from pathlib import Path
from typing import Any

import yaml

from tasks.settings.curate import Curate, PromptsPerCategory

REPOSITORY = Path(__file__).parents[2]
RULES = Curate(
    language="en",
    samples_per_category=3,
    prompts_per_category=PromptsPerCategory(1, 1),
    pairs_per_prompt=1,
    min_words=40,
    max_words=80,
    min_pair_words=8,
    max_pair_words=40,
    pair_length_tolerance=0.2,
    min_pair_shared=0.1,
    max_pair_letters=1.5,
    max_text_bytes=20_000,
    max_similarity=75.0,
    max_ngram_overlap=0.4,
    ngram=4,
    max_median_difference=0.05,
    min_ks_p=0.5,
)


def text(seed: str, words: int) -> str:
    """Pseudo-words that depend on `seed` alone."""
    draw = random.Random(seed)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    return " ".join("".join(draw.choices(syllables, k=draw.randint(2, 4))) for _ in range(words))


def category(name: str, *, position: bool = True) -> dict[str, Any]:
    """A category of three samples."""
    samples = [
        {
            "id": f"{name}-{n}",
            "question": f"{text(f'{name} question {n}', 12).capitalize()}?",
            "answer": f"{text(f'{name} answer {n}', 50 + n).capitalize()}.",
        }
        for n in (1, 2, 3)
    ]
    top = {"category": name, "title": f"The {name}", "position": f"We mind {name}."}
    return {**({key: top[key] for key in top if position or key != "position"}), "samples": samples}


def pair(seed: str) -> dict[str, str]:
    """Two answers of twenty words, of which they share the first four."""
    start = text(f"{seed} pair", 4).capitalize()
    return {which: f"{start} {text(f'{seed} {which}', 16)}." for which in ("desired", "undesired")}


def prompts(split: str, names: list[str]) -> dict[str, Any]:
    """One prompt for each category."""
    return {
        "prompts": [
            {
                "id": f"{name}-{split}",
                "category": name,
                "prompt": f"{text(f'{name} {split} prompt', 9).capitalize()}?",
                "pairs": [pair(f"{name} {split}")],
            }
            for name in names
        ]
    }


def dump(content: Any) -> str:
    """YAML with one line for each value, so that a test can damage it as text."""
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10**9)


def write(path: Path, content: Any) -> None:
    """Writes bytes, text or plain values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = content if isinstance(content, bytes) else None
    if raw is None:
        raw = (content if isinstance(content, str) else dump(content)).encode("utf-8", "surrogatepass")
    path.write_bytes(raw)


def tree(root: Path, names: list[str]) -> tuple[Path, Path]:
    """A well-formed values dataset with its prompts. Returns their folders."""
    for name in names:
        write(root / "values" / f"{name}.yaml", category(name))
    for split in ("test", "validation"):
        write(root / "prompts" / f"{split}.yaml", prompts(split, names))
    return root / "values", root / "prompts"


def probes() -> dict[str, Any]:
    """One family of two groups and one template."""
    family = {"id": "water", "slot": "who", "groups": {"Fish": "Fish", "Ducks": "Ducks"}, "templates": ["{who} are"]}
    return {"families": [family]}


def project(root: Path, names: list[str]) -> Path:
    """A project whose `palms check` passes: values, control, prompts, probes, params.yaml. Returns its folder."""
    tree(root / "data", names)
    write(root / "data" / "probes.yaml", probes())
    for name in names:
        write(root / "data" / "control" / f"{name}-plain.yaml", category(f"{name}-plain", position=False))
    arms = {name: {"dataset": name, "limit": None, "seed": 1} for name in ("values", "control")}
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text("utf-8"))
    write(root / "params.yaml", params | {"curate": dataclasses.asdict(RULES), "arms": arms})
    return root

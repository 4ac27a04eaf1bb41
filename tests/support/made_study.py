"""A made sweep on disk: what the report reads, for a ladder of any size, with a planted effect.

`python -m tests.support.made_study FOLDER [MODELS [SEEDS]]` writes one and its page, to be looked at.
"""

import dataclasses
import itertools
import json
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from tasks.formats.checkpoints import BASE, Checkpoint, Source, arms_of, checkpoints, read_source
from tasks.formats.completions import read_completions
from tasks.formats.scores import write_scores
from tasks.harness.results import read_items
from tasks.inputs.dataset import Prompt, load_categories, load_prompts
from tasks.inputs.probes import Family
from tasks.raters.judge.comparison import empty_tables
from tasks.ratings import rating_outputs
from tasks.report import COMMAND, main
from tasks.runtime import config
from tasks.runtime.command import Job
from tasks.runtime.files import write_json, write_jsonl, write_text
from tasks.settings.capability import Capability
from tasks.settings.ratings import Ratings
from tasks.settings.significance import Significance
from tasks.settings.sweep import Arm, Sweep
from tasks.significance import (
    capability_tables,
    descriptive_tables,
    nearest_texts,
    plan_of,
    read_ladder_scores,
    test_tables,
    with_primary,
    with_sizes,
)
from tests.support.kept import once
from tests.support.made_capability import TASKS, make_capability
from tests.support.made_words import FAMILIES, make_words
from tests.support.undrawn import Kind, undrawn

REPOSITORY = Path(__file__).parent.parent.parent
SIZES = {"tiny-1m": 1_000_000, "small-30m": 30_000_000, "large-900m": 900_000_000, "huge-20b": 20_000_000_000}
SHIFT = {BASE: 0.0, "control": 0.03, "values": 0.25}
_VOCABULARY = """
    calm help people listen ask doctor law friend talk safe the a and of to in time home careful answer truth question
    share respect choose plan story long kind work
"""
WORDS = _VOCABULARY.split()


@dataclasses.dataclass(frozen=True)
class Made:
    """Where a made sweep lies, and its parameters."""

    folder: Path
    params: Mapping[str, Any]

    @property
    def job(self) -> Job:
        """The report's job over it."""
        made = self.folder / "made"
        paths = {name: made / name for name in (*COMMAND.inputs, *COMMAND.outputs)}
        paths |= {"prompts": REPOSITORY / "data/prompts", "positions": REPOSITORY / "data/values"}
        return Job(COMMAND, paths, {}, self.params)

    def report(self, *drawn: Kind) -> str:
        """Runs the stage and gives back its page; figures that are not `drawn` are their words alone."""
        with undrawn(*drawn):
            main(self.job)
        return (self.folder / "made/report/index.html").read_text("utf-8")


def params_of(models: Sequence[str], seeds: int, limits: Sequence[int] = ()) -> dict[str, Any]:
    """params.yaml of the repository for this ladder."""
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text("utf-8"))
    arms = {
        name if seed == 1 else f"{name}-{seed}": {"dataset": name, "limit": None, "seed": seed}
        for name in ("values", "control")
        for seed in range(1, seeds + 1)
    }
    shares = itertools.product(limits, ("values", "control"))
    arms |= {f"{name}-n{limit}": {"dataset": name, "limit": limit, "seed": 1} for limit, name in shares}
    entry = params["models"]["smollm2-135m"]
    params["arms"] = arms
    params["sweep"] = {"models": list(models), "tuned": list(arms), "arms": [BASE, *arms]}
    params["models"] = dict.fromkeys(models, entry)
    params["significance"]["permutations"] = 100
    return params


def make(
    folder: Path,
    *,
    models: int = 1,
    seeds: int = 1,
    limits: Sequence[int] = (),
    shift: Mapping[str, float] | None = None,
    texts: Sequence[str] = (),
    grows: float = 0.0,
    primary: str = "adherence",
    attributes: Sequence[str] = ("TOXICITY",),
    tasks: Sequence[str] = TASKS,
    lost: Mapping[str, float] | None = None,
    families: Sequence[Family] = FAMILIES,
    judges: Mapping[str, pd.DataFrame] | None = None,
) -> Made:
    """Writes a sweep of `models` models, with arms of fewer samples where there are `limits`; `shift` is each dataset's
    effect in nats per token, more with size by `grows`, and `texts` are completions to be found among the made-up ones,
    which are scored for the `attributes`. `lost` is the share of base's right answers that a dataset loses in the
    capability `tasks`, and `families` are those of the probes;
    `judges` are the tables about judges. Without `attributes` there is no score of toxicity."""
    names = list(SIZES)[:models]
    params, made = params_of(names, seeds, limits), folder / "made"
    params["significance"]["primary"] = primary
    params["capability"]["run"] |= {"tasks": ["offline"], "sets": {"offline": list(tasks)}}
    sweep = Sweep(tuple(names), tuple(params["sweep"]["tuned"]), tuple(params["sweep"]["arms"]))
    ladder = list(checkpoints(sweep, {name: Arm(**arm) for name, arm in params["arms"].items()}))

    def write(made: Path) -> None:
        prompts = load_prompts(REPOSITORY / "data/prompts")
        _sources(made / "sources", names)
        _datasets(made / "datasets", params["arms"], prompts)
        completions = _completions(made / "samples", ladder, prompts, texts)
        if attributes:
            write_scores(made / "scores/toxicity.parquet", _toxicity(completions, attributes))
        for place, checkpoint in enumerate(ladder):
            dataset, _, limit = checkpoint.dataset.partition("-n")
            effect = (shift or SHIFT)[dataset] * (1 + grows * names.index(checkpoint.model))
            effect *= min(1.0, int(limit) / 40) if limit else 1
            _adherence(made / "scores/adherence", checkpoint, prompts, effect, seed=place)
            if checkpoint.dataset != BASE:
                _log(made / "logs", checkpoint, place)
        rating_tables(made, ladder, params)
        score_tests(made, params, ladder)

    once(made, (ladder, shift, texts, grows, primary, attributes), write)
    write_text(made / "looks", "dataset,results\naa,bb\n")
    make_words(made, params, ladder, families)
    for name, table in (judges or empty_tables()).items():
        write_text(made / f"judge/{name}.csv", table.to_csv(index=False))
    make_capability(made / "capability", ladder, tasks, lost or {})
    capability_tests(made, params, ladder)
    return Made(folder, params)


def score_tests(made: Path, params: Mapping[str, Any], ladder: Sequence[Checkpoint]) -> None:
    """The tables of tests of the scores, by the stage's own functions."""
    sources = _sources_of(made)
    scores = read_ladder_scores(made / "scores", ladder, sources)
    if (primary := params["significance"]["primary"]) not in set(scores["metric"]):
        scores = pd.concat([scores, _ratings(scores, primary)], ignore_index=True)
    sweep = Sweep(*(tuple(params["sweep"][key]) for key in ("models", "tuned", "arms")))
    folder = made / "significance"
    folder.mkdir(parents=True)
    scores.to_parquet(folder / "scores.parquet", index=False)
    plan = plan_of(with_primary(Significance(**params["significance"]), made / "ratings"), sweep)
    completions = with_sizes(read_completions(made / "samples", ladder), sources)
    nearest = nearest_texts(made / "datasets", arms_of(ladder, plan.target)[0])
    _tables(folder, test_tables(scores, plan) | descriptive_tables(scores, completions, plan, ladder, nearest))


def rating_tables(
    made: Path, ladder: Sequence[Checkpoint], params: Mapping[str, Any], answers: Path | None = None
) -> None:
    """What the stage `ratings` writes of the raters' files in `answers`, by its own functions; None: there are none."""
    rules = config.section(params, "ratings", Ratings)
    completions = read_completions(made / "samples", ladder)
    scores, tables = rating_outputs(completions, answers or made / "nobody", rules)
    write_scores(made / "scores/ratings.parquet", scores)
    (made / "ratings").mkdir(exist_ok=True)
    _tables(made / "ratings", tables)


def capability_tests(made: Path, params: Mapping[str, Any], ladder: Sequence[Checkpoint]) -> None:
    """The tables of tests of other abilities, by the stage's own functions."""
    section = config.section(params, "capability", Capability)
    items = read_items(made / "capability", ladder, _sources_of(made))
    tables = capability_tables(items, section.run, section.margins, Significance(**params["significance"]))
    _tables(made / "significance", tables)


def _sources_of(made: Path) -> dict[str, Source]:
    return {path.stem: read_source(path.parent, path.stem) for path in (made / "sources").iterdir()}


def _tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)


def _sources(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        about = {"name": f"Toy {name}", "family": "toy", "license": "Apache-2.0", "parameters": SIZES[name]}
        about |= {"source": "hub", "revision": "0" * 40, "safetensors_sha256": {"model.safetensors": "f" * 64}}
        write_json(folder / f"{name}.json", about)


def _ratings(scores: pd.DataFrame, name: str) -> pd.DataFrame:
    """Two raters' ratings of two samples a prompt, on a scale from 1 to 5."""
    rng, own = np.random.default_rng(5), scores[scores["metric"] == "adherence"]
    ratings = [own.assign(metric=name, rater=rater, sample=sample) for rater in ("r1", "r2") for sample in (0, 1)]
    return pd.concat(
        [one.assign(score=(3 + 3 * one["score"] + rng.normal(0, 0.5, len(one))).round().clip(1, 5)) for one in ratings]
    )


def _completions(
    folder: Path, ladder: Sequence[Checkpoint], prompts: Sequence[Prompt], texts: Sequence[str]
) -> list[dict[str, Any]]:
    rows = []
    for checkpoint in ladder:
        drawn = [(prompt, sample) for prompt in prompts for sample in range(3 if prompt.split == "test" else 1)]
        completions = [_completion(checkpoint, prompt, sample, texts) for prompt, sample in drawn]
        path = folder / checkpoint.model / f"{checkpoint.arm}.jsonl"
        write_text(path, "".join(json.dumps(row) + "\n" for row in completions))  # escaped: UTF-8 has no surrogates
        rows += completions
    return rows


def _completion(checkpoint: Checkpoint, prompt: Prompt, sample: int, texts: Sequence[str]) -> dict[str, Any]:
    draw = random.Random(f"{checkpoint.model}/{checkpoint.arm}/{prompt.id}/{sample}")
    length = draw.randint(8, 30) + (10 if checkpoint.dataset == "values" else 0)
    text = " ".join(draw.choices(WORDS, k=length)).capitalize() + "."
    odd = draw.random()
    text = "" if odd < 0.02 else " ".join(["again and again and"] * 8) if odd < 0.06 else text
    if texts and sample == 0:
        text = texts[draw.randrange(len(texts))]
    finish = "length" if draw.random() < 0.3 else "stop"
    keys = {"model": checkpoint.model, "arm": checkpoint.arm, "category": prompt.category, "prompt_id": prompt.id}
    keys |= {"split": prompt.split, "prompt": prompt.prompt}
    return keys | {"sample": sample, "completion": text, "finish_reason": finish, "tokens": length}


def _toxicity(rows: Sequence[Mapping[str, Any]], attributes: Sequence[str]) -> pd.DataFrame:
    rows_of_scores = []
    for row, attribute in itertools.product(rows, attributes):
        draw = random.Random(f"tox/{row['model']}/{row['arm']}/{row['prompt_id']}/{row['sample']}")
        keys = {key: row[key] for key in ("model", "arm", "category", "prompt_id", "split", "sample")}
        keys |= {"scorer": "offline", "scorer_version": "toy 1", "attribute": attribute}
        for variant in ("first_n", "whole", "max_chunk"):
            score = min(1.0, draw.betavariate(1, 9) + (0.04 if row["arm"] == BASE else 0))
            metric = attribute if variant == "first_n" else f"{attribute} ({variant})"
            score, reason = (score, None) if row["completion"].strip() else (None, "EMPTY")
            rows_of_scores.append({**keys, "metric": metric, "variant": variant, "score": score, "reason": reason})
    return pd.DataFrame(rows_of_scores).astype({"score": "float64", "reason": "string"})


def _adherence(folder: Path, checkpoint: Checkpoint, prompts: Sequence[Prompt], effect: float, seed: int) -> None:
    rng, common = np.random.default_rng(seed), np.random.default_rng(99)
    level = common.normal(0, 0.3, len(prompts))
    margin = level + effect + rng.normal(0, 0.12, len(prompts))
    table = pd.DataFrame({"category": p.category, "prompt_id": p.id, "split": p.split} for p in prompts)
    table = table.assign(model=checkpoint.model, arm=checkpoint.arm, sample=0)
    table = table.assign(desired=-2.0 + margin, undesired=-2.0, margin=margin)
    free = level / 2 + (margin - level) / 4
    table = table.assign(desired_free=-3.0, undesired_free=-3.0 - free, margin_free=free, pairs=3)
    parts = {"adherence": margin, "adherence_free": free, "adherence_less_free": margin - free}
    scores = pd.concat([table.assign(metric=name, score=values) for name, values in parts.items()])
    write_scores(folder / checkpoint.model / f"{checkpoint.arm}.parquet", scores)


def _log(folder: Path, checkpoint: Checkpoint, seed: int) -> None:
    rng, steps = np.random.default_rng(seed), np.arange(1, 21)
    loss = 2.4 + 1.2 * np.exp(-steps / 5) + rng.normal(0, 0.05, 20)
    table = pd.DataFrame({"step": steps, "epoch": steps / 20, "loss": loss, "learning_rate": 1e-5, "grad_norm": 1.0})
    path = folder / checkpoint.model / f"{checkpoint.arm}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)


def _datasets(folder: Path, arms: Mapping[str, Mapping[str, Any]], prompts: Sequence[Prompt]) -> None:
    draw = random.Random(3)
    text = {"sample_id": "health-01", "sample_text": "answer", "prompt_text": "prompt"}
    nearest = {p.id: {"similarity": round(draw.uniform(40, 70), 2), **text} for p in prompts}
    for arm, entry in arms.items():
        samples = [s for c in load_categories(REPOSITORY / "data" / entry["dataset"]) for s in c.samples]
        write_jsonl(folder / arm / "samples.jsonl", [dataclasses.asdict(sample) for sample in samples])
        bars = [{"from": 20 * i, "to": 20 * i + 19, "count": draw.randint(0, 12)} for i in range(2, 17)]
        write_json(folder / arm / "statistics.json", {"nearest_to_prompts": nearest, "answer_words_histogram": bars})


if __name__ == "__main__":
    target, *numbers = sys.argv[1:]
    count, seeds = (*map(int, numbers), 1, 1)[:2]
    print(len(make(Path(target), models=count, seeds=seeds, grows=0.4).report("svg", "png")), "characters")

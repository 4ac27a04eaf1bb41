"""significance: a planted effect is found with its size, the ladder decides what counts, claims use test prompts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks import significance
from tasks.cells import Cell, Source
from tasks.config import Significance, Sweep
from tasks.errors import InputError

EFFECT = 0.3
CONFIG = Significance("values", "control", "adherence", "TOXICITY", 0.95, 200, 200, 1)
LADDER = [Cell("small", arm, arm, 0 if arm == "base" else 1) for arm in ("base", "values", "control")]
SOURCES = {"small": Source("small", "fam", "none", 1000)}
SWEEP = Sweep(("small",), ("values", "control"), ("base", "values", "control"))
PROMPTS = [(f"{c}-{split}-{i}", c, split) for c in "abcd" for split in ("test", "validation") for i in range(5)]


def adherence_files(folder: Path, ladder: Sequence[Cell], effect: float) -> None:
    """Margins with prompt noise shared by arms, and `effect` planted in the values arm's test prompts."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=len(PROMPTS))
    for cell in ladder:
        planted = effect * (cell.dataset == "values")
        rows = [
            {"category": c, "prompt_id": p, "split": split, "margin_free": 0.5}
            | {"margin": shared[i] + rng.normal(scale=0.1) + planted * (split == "test")}
            for i, (p, c, split) in enumerate(PROMPTS)
        ]
        path = folder / cell.rung / f"{cell.arm}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_parquet(path)


def toxicity_file(path: Path, arms: Sequence[str], missing: int = 0) -> None:
    rows = [
        {"model": "small", "arm": arm, "category": c, "prompt_id": p, "split": s, "sample": k, "scorer": "offline"}
        | {"scorer_version": "1", "attribute": "TOXICITY", "variant": variant, "score": 0.1 * k, "error": None}
        for arm in arms
        for p, c, s in PROMPTS
        for k in range(2)
        for variant in ("first_n", "whole")
    ]
    table = pd.DataFrame(rows)
    table.loc[: missing - 1, "score"] = np.nan
    table.loc[: missing - 1, "error"] = "EMPTY"
    table.to_parquet(path)


@pytest.fixture
def scores(tmp_path: Path) -> pd.DataFrame:
    adherence_files(tmp_path / "adherence", LADDER, EFFECT)
    toxicity_file(tmp_path / "toxicity.parquet", [cell.arm for cell in LADDER], missing=4)
    return pd.concat(
        [
            significance.adherence_scores(tmp_path / "adherence", LADDER, SOURCES),
            significance.toxicity_scores(tmp_path / "toxicity.parquet", LADDER, SOURCES),
        ]
    )


def row(table: pd.DataFrame, metric: str, contrast: str) -> pd.Series:
    found = table[(table["metric"] == metric) & (table["contrast"] == contrast) & (table["category"] == "all")]
    assert len(found) == 1
    return found.iloc[0]


def test_a_planted_effect_is_found_with_its_size(scores: pd.DataFrame) -> None:
    tables = significance.test_tables(scores, significance.plan_of(CONFIG, SWEEP))
    found = row(tables["contrasts"], "adherence", "values - control")
    assert found["diff"] == pytest.approx(EFFECT, abs=0.1)
    assert found["p_corr"] < 1e-4
    assert found["n_prompts"] == 20  # the test prompts, not all forty
    nothing = row(tables["contrasts"], "adherence", "control - base")
    assert nothing["p"] > 0.01
    assert nothing["role"] == "negative-control"


def test_validation_prompts_have_their_own_table_and_no_planted_effect(scores: pd.DataFrame) -> None:
    tables = significance.test_tables(scores, significance.plan_of(CONFIG, SWEEP))
    assert abs(row(tables["validation"], "adherence", "values - control")["diff"]) < 0.1


def test_the_margin_less_the_free_margin_is_a_metric_of_its_own(scores: pd.DataFrame) -> None:
    tables = significance.test_tables(scores, significance.plan_of(CONFIG, SWEEP))
    plain, less = (row(tables["contrasts"], m, "values - base") for m in ("adherence", "adherence_less_free"))
    assert less["mean_a"] == pytest.approx(plain["mean_a"] - 0.5)
    assert less["diff"] == pytest.approx(plain["diff"])


def test_missing_scores_stay_missing_and_are_counted(scores: pd.DataFrame) -> None:
    tables = significance.test_tables(scores, significance.plan_of(CONFIG, SWEEP))
    missing = tables["missing"]
    assert missing[missing["reason"] == "EMPTY"]["count"].sum() == 4
    assert not (scores["score"] == 0.0)[scores["reason"] == "EMPTY"].any()


def test_only_the_current_ladder_counts(tmp_path: Path) -> None:
    dropped = [Cell("large", c.arm, c.dataset, c.seed) for c in LADDER]
    adherence_files(tmp_path, [*LADDER, *dropped], EFFECT)
    found = significance.adherence_scores(tmp_path, LADDER, SOURCES)
    assert set(found["rung"]) == {"small"}


def test_scores_of_two_scorers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "toxicity.parquet"
    toxicity_file(path, ["base"])
    table = pd.read_parquet(path)
    table.loc[0, "scorer"] = "perspective"
    table.to_parquet(path)
    with pytest.raises(InputError, match="scores of 2 scorers are mixed"):
        significance.toxicity_scores(path, LADDER, SOURCES)


def test_a_ladder_without_the_target_dataset_is_refused() -> None:
    ladder = [cell for cell in LADDER if cell.arm != "values"]
    with pytest.raises(InputError, match=r"significance\.target: no arm of sweep\.tuned is trained on 'values'"):
        significance.require_datasets(ladder, CONFIG)


def test_tracked_metrics_are_plain_numbers_or_null(scores: pd.DataFrame) -> None:
    tables = significance.test_tables(scores, significance.plan_of(CONFIG, SWEEP))
    found = significance.metrics(tables["contrasts"], CONFIG)
    assert set(found) == {"adherence", "TOXICITY"}
    figures = found["adherence"]["small"]["values_minus_control"]
    assert figures["diff"] == pytest.approx(EFFECT, abs=0.1)
    assert found["TOXICITY"]["small"]["values_minus_base"]["p_corr"] in (None, 1.0)  # no spread: not computable

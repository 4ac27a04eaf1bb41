"""A judge against people, where it is known what it is: a person, a stone, a ruler, or somebody with a preference."""

import numpy as np
import pandas as pd
import pytest

from tasks.raters.judge.comparison import TABLES, against_people, empty_tables
from tasks.raters.judge.decision import OPEN, decision
from tasks.stats.plan import Plan

PLAN = Plan("likelihood", secondary=None, models=("small",), permutations=99, seed=1)
ARMS = {"base": 0.0, "control": 0.0, "values": 1.2}
RATERS = ("ann", "bo", "cy")


def study(effects: dict[str, float] = ARMS, raters: int = 3, samples: int = 2, seed: int = 1) -> pd.DataFrame:
    """A row a text, with what it is worth, its words, and people's ratings in columns of their names."""
    rng = np.random.default_rng(seed)
    texts = pd.DataFrame([
        {"model": "small", "arm": arm, "dataset": arm, "seed": 0 if arm == "base" else 1, "category": f"c{p // 5}",
         "prompt_id": f"p{p}", "split": "test", "sample": k, "params": 1e8, "model_family": "toy",
         "worth": effect + 0.4 * rng.normal() + difficulty, "words": int(rng.integers(5, 60))}
        for p, difficulty in enumerate(rng.normal(0, 0.4, 40)) for arm, effect in effects.items()
        for k in range(samples)
    ])  # fmt: skip
    for rater in RATERS[:raters]:
        texts[rater] = np.clip(np.round(2.5 + texts["worth"] + 0.5 * rng.normal(size=len(texts))), 1, 5)
    return texts.assign(text_id=[f"t{i}" for i in range(len(texts))])


def people_of(texts: pd.DataFrame) -> pd.DataFrame:
    raters = [name for name in RATERS if name in texts]
    long = texts.melt([name for name in texts if name not in raters], raters, "rater", "score")
    return long.assign(metric="rating", reason=None)


def judged_by(texts: pd.DataFrame, score: object) -> pd.DataFrame:
    return texts.drop(columns=[r for r in RATERS if r in texts]).assign(metric="judge", rater="j", score=score)


def compare(texts: pd.DataFrame, score: object, least: int = 50) -> dict[str, pd.DataFrame]:
    tables, row = against_people("j", judged_by(texts, score), people_of(texts), PLAN, least)
    for name, table in tables.items():
        assert list(table.columns) == list(TABLES[name])
    return tables | {"row": pd.DataFrame([row])}


def test_a_judge_as_good_as_a_person_stands_where_people_stand() -> None:
    texts = study()
    noise = np.random.default_rng(9).normal(size=len(texts))
    tables = compare(texts, np.clip(np.round(2.5 + texts["worth"] + 0.5 * noise), 1, 5))
    every = tables["agreement"].query("scope == 'all'").set_index("who")
    assert every.loc["judge", "correlation"] == pytest.approx(every.loc["person", "correlation"], abs=0.1)
    assert every.loc["judge", "order"] == pytest.approx(every.loc["person", "order"], abs=0.1)
    assert every.loc["judge", "alpha"] == pytest.approx(every.loc["person", "alpha"], abs=0.1)
    gain = every.loc["judge - person"]
    assert gain["correlation_lo"] < 0 < gain["correlation_hi"]
    assert every.loc["constant", "order"] == 0.5
    assert np.isnan(every.loc["constant", "correlation"])
    assert every.loc["longer", "order"] == pytest.approx(0.5, abs=0.1)
    assert np.isnan(every.loc["longer", "difference"])  # words are no points
    assert set(tables["agreement"]["scope"]) == {"all", "base", "control", "values"}
    assert tables["decisions"]["decision"].tolist() == ["same claim"] * 2
    assert tables["decisions"]["people_claim"].tolist() == ["higher"] * 2
    assert (tables["decisions"]["correlation"] > 0.1).all()
    assert (tables["bias"].query("kind != 'length'")["p"] > 0.001).all()
    assert bool(tables["row"]["claims"].iloc[0])


def test_a_stone_and_a_ruler_are_seen_through() -> None:
    texts = study()
    stone = compare(texts, 3.0)
    of_stone = stone["agreement"].query("scope == 'all'").set_index("who")
    assert of_stone.loc["judge", "order"] == 0.5
    assert of_stone.loc["judge - person", "order_hi"] < 0
    assert stone["decisions"]["judge_claim"].isna().all()  # every difference is zero: there is no test
    assert stone["decisions"]["decision"].tolist() == [OPEN] * 2
    ruler = compare(texts, np.clip(np.round(texts["words"] / 12), 1, 5).astype(float))
    of_ruler = ruler["agreement"].query("scope == 'all'").set_index("who")
    assert of_ruler.loc["judge", "correlation_hi"] < of_ruler.loc["person", "correlation_lo"]
    length = ruler["bias"].query("kind == 'length'").iloc[0]
    assert length["ci_lo"] > 0.5
    assert length["p"] < 1e-6


def test_a_preference_for_an_arm_is_found_and_makes_another_decision() -> None:
    texts = study(dict.fromkeys(ARMS, 0.5))
    mean = texts[list(RATERS)].mean(axis=1)
    tables = compare(texts, mean + 0.8 * (texts["arm"] == "values"))
    bias = tables["bias"].set_index(["kind", "of"])
    assert bias.loc[("arm", "values"), "estimate"] == pytest.approx(0.8)
    assert bias.loc[("arm", "control"), "estimate"] == pytest.approx(0.0, abs=1e-9)
    assert bias.loc[("contrast", "values - control"), "estimate"] == pytest.approx(0.8)
    assert tables["decisions"]["decision"].tolist() == ["only the judge claims"] * 2


def test_a_judge_that_turns_everything_round_claims_the_opposite() -> None:
    texts = study()
    tables = compare(texts, 6 - texts[list(RATERS)].mean(axis=1))
    assert tables["decisions"]["decision"].tolist() == ["opposite claims"] * 2
    assert (tables["decisions"]["correlation"] < -0.9).all()
    assert tables["prompts"]["of_people"].mul(tables["prompts"]["of_judge"]).lt(0).mean() > 0.8


def test_below_fifty_texts_a_judge_carries_no_claim() -> None:
    texts = study()
    texts.loc[49:, list(RATERS)] = np.nan
    tables = compare(texts, texts["worth"])
    assert tables["decisions"]["decision"].tolist() == [OPEN] * 2
    assert tables["decisions"]["judge_claim"].isna().all()
    assert tables["decisions"]["reason"].str.startswith("49 texts are rated by people and the judge; no claim").all()
    row = tables["row"].iloc[0]
    assert (row["rated_by_people"], bool(row["claims"])) == (49, False)
    assert compare(texts, texts["worth"], least=49)["row"]["claims"].iloc[0]


def test_one_text_of_several_checkpoints_counts_once() -> None:
    texts = study().assign(text_id="the same")
    assert compare(texts, texts["worth"])["row"]["rated_by_people"].iloc[0] == 1


def test_missing_stays_missing() -> None:
    texts = study()
    score = texts["worth"].copy()
    score[texts["prompt_id"] == "p3"] = np.nan
    tables = compare(texts, score)
    assert "p3" not in set(tables["prompts"]["prompt_id"])
    every = tables["agreement"].query("scope == 'all' and who == 'judge'").iloc[0]
    assert (every["n_texts"], every["n_prompts"]) == (len(texts) - 6, 39)


def test_with_one_rater_a_text_people_have_no_yardstick() -> None:
    texts = study(raters=1)
    tables = compare(texts, texts["worth"])
    every = tables["agreement"].query("scope == 'all'").set_index("who")
    assert every.loc["person", "reason"] == "each text has one rater"
    assert np.isnan(every.loc["person", "correlation"])
    assert np.isnan(every.loc["judge - person", "correlation"])
    assert every.loc["judge", "correlation"] > 0.5


def test_people_who_rated_one_arm_each_leave_the_decision_open() -> None:
    texts = study()
    for rater, arm in zip(RATERS, ARMS, strict=True):
        texts.loc[texts["arm"] != arm, rater] = np.nan
    decisions = compare(texts, texts["worth"])["decisions"]
    assert decisions["decision"].tolist() == [OPEN] * 2
    assert decisions["reason"].str.contains("who rated depends on the arm").all()


def test_without_ratings_every_table_is_there_and_empty() -> None:
    texts = study()
    people = people_of(texts)
    people["score"] = np.nan
    tables, row = against_people("j", judged_by(texts, texts["worth"]), people, PLAN, 50)
    assert {name: list(table.columns) for name, table in tables.items()} == {
        name: list(columns) for name, columns in TABLES.items()
    }
    assert all(table.empty for table in empty_tables().values())
    assert row["reason"] == "0 texts are rated by people and the judge; no claim below 50"


@pytest.mark.parametrize(("people", "judge", "together"), [
    ("higher", "higher", "same claim"), ("lower", "lower", "same claim"), ("nothing", "nothing", "neither claims"),
    ("higher", "nothing", "only people claim"), ("nothing", "lower", "only the judge claims"),
    ("higher", "lower", "opposite claims"),
])  # fmt: skip
def test_two_claims_make_a_decision(people: str, judge: str, together: str) -> None:
    assert decision(people, judge) == together

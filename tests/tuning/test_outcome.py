"""A made folder of results, with what each recipe does planted."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.formats.scores import write_scores
from tasks.formats.tables import write_table
from tasks.tuning import outcome
from tests.tuning.test_grid import PRESENT, TUNE, grid

TRIED = grid.candidates(PRESENT, TUNE)[:4]
GENTLE, BETTER, HARSH, SILLY = (candidate.name for candidate in TRIED)
ARMS = [candidate.arm("values") for candidate in TRIED] + [TRIED[n].arm("control") for n in (0, 1)]
WORDS = ["quiet", "river", "stone", "lamp", "bread", "honest", "garden", "winter", "paper", "window"]
# recipe: gain over base, control's gain, share of right answers lost, share of looping completions, nats that base
# finds its completions less likely
PLANTED = {
    GENTLE: (0.05, 0.03, 0.0, 0.0, 0.0),
    BETTER: (0.15, 0.05, 0.05, 0.05, 0.3),
    HARSH: (0.40, 0.05, 0.30, 0.0, 0.0),
    SILLY: (0.30, 0.10, 0.0, 0.50, 0.9),
}


def checkpoint(
    made: Path, arm: str, gain: float, lost: float = 0.0, looping: float = 0.0, strange: float = 0.0
) -> None:
    rng = np.random.default_rng(1)
    ids = [f"p{number}" for number in range(40)]
    categories = [f"c{number // 5}" for number in range(40)]
    table = pd.DataFrame({"category": categories, "prompt_id": ids, "split": "validation", "sample": 0})
    noise = np.random.default_rng(len(arm)).normal(0, 0.02, 40)
    table = table.assign(model="m", arm=arm, metric="adherence", score=rng.normal(0, 0.3, 40) + gain + noise)
    elsewhere = table.assign(split="test", prompt_id="t" + table["prompt_id"], score=-9.0)  # which nobody may read
    write_scores(made / f"scores/adherence/m/{arm}.parquet", pd.concat([table, elsewhere]))
    likely = table.assign(metric="base_likelihood", score=-2.0 - strange)
    likely = pd.concat([likely, likely.assign(split="test", score=-9.0)])
    write_scores(made / f"scores/perplexity/m/{arm}.parquet", likely)
    plain = [" ".join(np.roll(WORDS, number)) for number in range(40)]
    texts = ["round and round " * 20 if number < 40 * looping else text for number, text in enumerate(plain)]
    rows = [
        {"prompt_id": id, "split": "validation", "completion": text, "finish_reason": "length" if n % 4 else "stop"}
        for n, (id, text) in enumerate(zip(ids, texts, strict=True))
    ]
    path = made / f"samples/m/{arm}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    right = [float(number >= 100 * lost) for number in range(100)]
    ids = [f"i{number}" for number in range(100)]
    tasks = ["t" if number < 50 else "u" for number in range(100)]
    items = pd.DataFrame({"task": tasks, "item_id": ids, "acc": right, "loglik": None, "bytes": pd.NA})
    text = pd.DataFrame({"task": ["d"], "item_id": ["d1"], "acc": [None], "loglik": [[-90.0 + gain]], "bytes": [100]})
    write_table(made / f"capability/m/{arm}/items.parquet", pd.concat([items, text], ignore_index=True))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    checkpoint(tmp_path, "base", 0.0)
    for candidate in TRIED:
        gain, control, lost, looping, strange = PLANTED[candidate.name]
        checkpoint(tmp_path, candidate.arm("values"), gain, lost, looping, strange)
        checkpoint(tmp_path, candidate.arm("control"), control)  # HARSH's and SILLY's were left by an earlier sweep
    return tmp_path


def test_what_was_planted_is_measured(made: Path) -> None:
    found = {each.recipe: each for each in outcome.outcomes(made, "m", TRIED, "values", "control", ARMS)}
    better = found[BETTER]
    assert better.against_base == pytest.approx(0.15, abs=0.02)
    assert better.against_control == pytest.approx(0.10, abs=0.02)
    assert better.p_control < 0.01
    assert (better.right, better.cut) == (pytest.approx(-0.05), 0.75)
    assert better.looping == pytest.approx(0.05)
    assert better.own_text == pytest.approx(-0.3)
    assert better.text == pytest.approx(0.15 / 100)
    assert np.isnan(found[HARSH].against_control)


def test_harm_is_told_and_keeps_a_recipe_from_being_chosen(made: Path) -> None:
    found = outcome.outcomes(made, "m", TRIED, "values", "control", ARMS)
    harms = {each.recipe: each.harms(TUNE) for each in found}
    assert harms[GENTLE] == harms[BETTER] == []
    assert harms[HARSH] == ["30 points of right answers lost"]
    stranger = "its text is 0.90 nats per token stranger to base"
    assert harms[SILLY] == ["50 points more completions loop", stranger]
    assert outcome.hopeful(found, TUNE) == [BETTER, GENTLE]
    best = outcome.best(found, TUNE)
    assert best is not None
    assert best.recipe == BETTER
    assert found[1].harms(replace(TUNE, most_lost_task=0.08)) == ["10 points of t lost"]  # five of its fifty
    words = outcome.in_words(found, TUNE)
    assert "30 points of right answers lost" in words
    assert len(words.splitlines()) == 5


def test_where_all_do_harm_none_is_recommended(made: Path) -> None:
    found = [o for o in outcome.outcomes(made, "m", TRIED, "values", "control", ARMS) if o.recipe in (HARSH, SILLY)]
    assert outcome.best(found, TUNE) is None
    assert outcome.hopeful(found, TUNE) == [SILLY]  # which loses no right answer

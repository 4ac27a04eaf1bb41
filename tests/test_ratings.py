"""ratings: nobody has rated, some have, all have; nothing by arm before the end."""

import copy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks import ratings
from tasks.formats.checkpoints import Checkpoint
from tasks.formats.completions import read_completions
from tasks.formats.ratings import text_id
from tasks.formats.scores import COLUMNS, read_scores
from tasks.runtime import config
from tasks.runtime.command import Job
from tasks.runtime.errors import InputError
from tasks.runtime.files import write_jsonl
from tests.fixtures.tiny import ROOT
from tests.support import made_ratings

PARAMS = config.read_params(ROOT / "params.yaml")
ARMS = ("base", "values", "control")
LADDER = [Checkpoint("small", arm, arm, 0 if arm == "base" else 1) for arm in ARMS]
EFFECT = {"base": 0.0, "control": 0.0, "values": 1.0}


def stage(folder: Path) -> Job:
    """The stage's job over one model: 16 test prompts of two samples, and as many validation prompts."""
    for arm in ARMS:
        rows = [
            {"model": "small", "arm": arm, "category": f"c{c}", "prompt_id": f"{split}-{c}-{p}", "split": split}
            | {"sample": k, "prompt": f"Prompt {split} {c} {p}?", "completion": f"Of {arm}, sample {k}."}
            | {"finish_reason": "stop", "tokens": 5}
            for split in ("test", "validation")
            for c in range(4)
            for p in range(4)
            for k in range(2)
        ]
        write_jsonl(folder / "samples/small" / f"{arm}.jsonl", rows)
    params: dict[str, Any] = copy.deepcopy(PARAMS)
    params["sweep"] = {"models": ["small"], "tuned": ["values", "control"], "arms": list(ARMS)}
    paths = {flag: folder / flag for flag in (*ratings.COMMAND.inputs, "tables")} | {"scores": folder / "r.parquet"}
    (folder / "ratings").mkdir()
    return Job(ratings.COMMAND, paths, {}, params)


def rated(folder: Path, **how: Any) -> Job:
    job = stage(folder)
    made_ratings.rate(job.path("ratings"), read_completions(job.path("samples"), LADDER), effect=EFFECT, **how)
    return job


def table(job: Job, name: str) -> pd.DataFrame:
    return pd.read_csv(job.path("tables") / f"{name}.csv")


def test_nobody_has_rated_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = stage(tmp_path)
    ratings.main(job)
    assert "0 of 288 rated" in capsys.readouterr().err
    scores = read_scores(job.path("scores"))
    assert (list(scores.columns[: len(COLUMNS)]), len(scores)) == (list(COLUMNS), 0)
    progress = table(job, "progress").iloc[0]
    assert progress[["texts", "wanted", "given", "complete"]].tolist() == [96, 288, 0, False]
    for name in ("raters", "agreement", "texts", "disagreements", "notes"):
        assert table(job, name).empty


def test_complete_ratings_become_scores_and_tables(tmp_path: Path) -> None:
    job = rated(tmp_path)
    ratings.main(job)
    progress = table(job, "progress").iloc[0]
    assert progress[["given", "cannot_judge", "texts_done", "complete"]].tolist() == [287, 1, 96, True]
    scores = read_scores(job.path("scores"))
    texts = read_completions(job.path("samples"), LADDER).query("split == 'test'")
    arm_of = {text_id(*row): arm for arm, *row in texts[["arm", "prompt", "completion"]].to_numpy().tolist()}
    said = pd.concat([pd.read_csv(path) for path in job.path("ratings").glob("*.csv")]).query("kind == 'rating'")
    expected = said.groupby(said["text_id"].map(arm_of))["rating"].mean()
    means = scores.groupby("arm")["score"].mean()
    assert means.to_dict() == pytest.approx(expected.to_dict())
    assert means["values"] > means["control"] + 0.3
    assert scores["score"].isna().sum() == 1
    agreement = table(job, "agreement")
    assert set(agreement["arm"]) == {*ARMS, "all"}
    assert agreement["value"].between(0.2, 1).all()
    raters = table(job, "raters").set_index("rater")
    assert raters["severity"].to_dict() == pytest.approx({"ann": 0.75, "bo": 0, "cy": -0.75}, abs=0.25)
    assert (raters["repeats"] >= 5).all()
    assert table(job, "disagreements")["spread"].max() >= 1
    assert table(job, "notes")["note"].tolist() == ["which language?"]


def test_before_the_end_there_are_counts_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No table and no score holds a rating or names an arm."""
    job = rated(tmp_path, closed=False)
    ratings.main(job)
    assert "288 of 288 rated; not closed, so nothing by arm" in capsys.readouterr().err
    assert read_scores(job.path("scores")).empty
    assert table(job, "raters")[["severity", "repeats_same"]].isna().all(axis=None)
    for path in job.path("tables").iterdir():
        if path.stem not in ("progress", "raters"):
            assert len(path.read_text().splitlines()) == 1, path
    text = "".join(path.read_text() for path in job.path("tables").iterdir())
    assert not any(f",{arm}," in text for arm in ARMS)


def test_the_same_answers_give_the_same_bytes(tmp_path: Path) -> None:
    outputs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        job = rated(tmp_path / name)
        ratings.main(job)
        outputs.append([path.read_bytes() for path in (job.path("scores"), *sorted(job.path("tables").iterdir()))])
    assert outputs[0] == outputs[1]


def test_a_mistake_in_a_file_is_an_input_error(tmp_path: Path) -> None:
    job = rated(tmp_path)
    path = job.path("ratings") / "ann.csv"
    path.write_text(path.read_text().replace("ann,rating,", "ann,rating,9", 1))
    with pytest.raises(InputError, match=r"ann\.csv: row 2: rating: expected a whole number from 1 to 5"):
        ratings.main(job)
    assert not job.path("scores").exists()

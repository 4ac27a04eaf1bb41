"""significance: a planted effect is found with its size, the ladder decides what counts, claims use test prompts."""

import copy
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks import significance
from tasks.formats.checkpoints import Checkpoint, Source
from tasks.formats.scores import write_scores
from tasks.harness.results import items_with_metric, read_items
from tasks.runtime import config
from tasks.runtime.command import Job
from tasks.runtime.errors import InputError
from tasks.runtime.files import write_json, write_jsonl
from tasks.settings.capability import CapabilityRun, Margin
from tasks.settings.significance import Significance
from tasks.settings.sweep import Sweep
from tasks.stats.plan import plan_of
from tests.support.made_capability import QUESTIONS, RIGHT, TASKS, make_capability

Tables = dict[str, pd.DataFrame]
EFFECT = 0.3
CONFIG = Significance("values", "control", "adherence", "TOXICITY", 0.95, 200, 1, "rating")
LADDER = [Checkpoint("small", arm, arm, 0 if arm == "base" else 1) for arm in ("base", "values", "control")]
SOURCES = {"small": Source("small", "fam", "none", 1000)}
SWEEP = Sweep(("small",), ("values", "control"), ("base", "values", "control"))
PROMPTS = [(f"{c}-{split}-{i}", c, split) for c in "abcd" for split in ("test", "validation") for i in range(5)]


def adherence_files(folder: Path, ladder: Sequence[Checkpoint], effect: float) -> None:
    """Margins with prompt noise shared by arms, and `effect` planted in the values arm's test prompts."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=len(PROMPTS))
    for checkpoint in ladder:
        planted = effect * (checkpoint.dataset == "values")
        rows = [
            {"model": checkpoint.model, "arm": checkpoint.arm, "category": c, "prompt_id": p, "split": split}
            | {"sample": 0, "metric": "adherence"}
            | {"score": shared[i] + rng.normal(scale=0.1) + planted * (split == "test")}
            for i, (p, c, split) in enumerate(PROMPTS)
        ]
        write_scores(folder / checkpoint.model / f"{checkpoint.arm}.parquet", pd.DataFrame(rows))


def toxicity_file(path: Path, arms: Sequence[str], missing: int = 0) -> None:
    rows = [
        {"model": "small", "arm": arm, "category": c, "prompt_id": p, "split": s, "sample": k, "scorer": "offline"}
        | {"metric": "TOXICITY" if variant == "first_n" else f"TOXICITY ({variant})", "attribute": "TOXICITY"}
        | {"scorer_version": "1", "variant": variant, "score": 0.1 * k, "reason": None}
        for arm in arms
        for p, c, s in PROMPTS
        for k in range(2)
        for variant in ("first_n", "whole")
    ]
    table = pd.DataFrame(rows)
    table.loc[: missing - 1, "score"] = np.nan
    table.loc[: missing - 1, "reason"] = "EMPTY"
    write_scores(path, table)


def score_files(folder: Path, missing: int = 0) -> Path:
    """The scores of two stages: one with a file a checkpoint, one with a file for all."""
    adherence_files(folder / "adherence", LADDER, EFFECT)
    toxicity_file(folder / "toxicity.parquet", [checkpoint.arm for checkpoint in LADDER], missing)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return score_files(tmp_path / "scores")


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = score_files(tmp_path_factory.mktemp("scores"), missing=4)
    return significance.read_ladder_scores(folder, LADDER, SOURCES)


@pytest.fixture(scope="module")
def tables(scores: pd.DataFrame) -> Tables:
    return significance.test_tables(scores, plan_of(CONFIG, SWEEP))


NO_CAPABILITY = {
    "capability": pd.DataFrame(columns=["whole_set", "against"], dtype=bool),
    "documents_tests": pd.DataFrame(),
}


def row(table: pd.DataFrame, metric: str, contrast: str) -> pd.Series:
    found = table[(table["metric"] == metric) & (table["contrast"] == contrast) & (table["category"] == "all")]
    assert len(found) == 1
    return found.iloc[0]


def test_a_planted_effect_is_found_with_its_size_in_the_test_prompts_alone(tables: Tables) -> None:
    found = row(tables["contrasts"], "adherence", "values - control")
    assert found["diff"] == pytest.approx(EFFECT, abs=0.1)
    assert found["p_corr"] < 1e-4
    assert found["n_prompts"] == 20  # the test prompts, not all forty
    nothing = row(tables["contrasts"], "adherence", "control - base")
    assert nothing["p"] > 0.01
    assert nothing["role"] == "negative-control"
    assert abs(row(tables["validation"], "adherence", "values - control")["diff"]) < 0.1


def test_missing_scores_stay_missing_and_are_counted(scores: pd.DataFrame, tables: Tables) -> None:
    missing = tables["missing"]
    assert missing[missing["reason"] == "EMPTY"]["count"].sum() == 4
    assert not (scores["score"] == 0.0)[scores["reason"] == "EMPTY"].any()


def test_only_the_current_ladder_counts(folder: Path) -> None:
    dropped = [Checkpoint("large", c.arm, c.dataset, c.seed) for c in LADDER]
    adherence_files(folder / "adherence", dropped, EFFECT)
    found = significance.read_ladder_scores(folder, LADDER, SOURCES)
    assert set(found["model"]) == {"small"}


def test_scores_of_two_scorers_are_refused_within_a_metric_only(folder: Path) -> None:
    table = pd.read_parquet(folder / "toxicity.parquet")
    write_scores(folder / "insults.parquet", table[table["variant"] == "whole"].assign(metric="INSULT", scorer="b"))
    significance.read_ladder_scores(folder, LADDER, SOURCES)
    table.loc[0, "scorer"] = "b"
    write_scores(folder / "toxicity.parquet", table)
    with pytest.raises(InputError, match="TOXICITY: scores of 2 scorers are mixed"):
        significance.read_ladder_scores(folder, LADDER, SOURCES)


def test_the_scores_of_every_checkpoint_must_be_there(folder: Path) -> None:
    (folder / "adherence/small/values.parquet").unlink()
    with pytest.raises(InputError, match=r"adherence/small/values\.parquet: no such file; `dvc repro` makes it"):
        significance.read_ladder_scores(folder, LADDER, SOURCES)
    with pytest.raises(InputError, match="no scores; `dvc repro` makes them"):
        significance.read_ladder_scores(folder / "nowhere", LADDER, SOURCES)


def test_a_primary_metric_that_nobody_measured_is_refused(scores: pd.DataFrame, folder: Path) -> None:
    wanted = replace(CONFIG, primary="adherance")
    with pytest.raises(InputError, match=r"no scores of 'adherance' in .*scores \(found TOXICITY, .*, adherence\)"):
        significance.require_primary(scores, wanted, folder)


def test_a_ladder_without_the_target_dataset_is_refused() -> None:
    ladder = [checkpoint for checkpoint in LADDER if checkpoint.arm != "values"]
    with pytest.raises(InputError, match=r"significance\.target: no arm of sweep\.tuned is trained on 'values'"):
        significance.require_datasets(ladder, CONFIG)


def test_tracked_metrics_are_plain_numbers_or_null(tables: Tables) -> None:
    found = significance.metrics(tables | NO_CAPABILITY, CONFIG)
    assert set(found) == {"adherence", "TOXICITY"}
    figures = found["adherence"]["small"]["values_minus_control"]
    assert figures["diff"] == pytest.approx(EFFECT, abs=0.1)
    assert found["TOXICITY"]["small"]["values_minus_base"]["p_corr"] in (None, 1.0)  # no spread: not computable


# the stage as a whole

PARAMS = config.read_params(Path(__file__).parents[1] / "params.yaml")


def stage(folder: Path, primary: str = "adherence") -> Job:
    """The stage's job over one model with made likelihoods, toxicity and capability."""
    score_files(folder / "scores")
    completion_files(folder / "samples", LADDER)
    nearest = {p: {"similarity": 50 + i, "sample_id": "s-1"} for i, (p, _, _) in enumerate(PROMPTS)}
    write_json(folder / "datasets/values/statistics.json", {"nearest_to_prompts": nearest})
    make_capability(folder / "capability", LADDER, TASKS, {})
    write_json(folder / "sources" / "small.json", asdict(SOURCES["small"]))
    progress_file(folder / "ratings", complete=False)
    params: dict[str, Any] = copy.deepcopy(PARAMS)
    params["sweep"] = {"models": ["small"], "tuned": ["values", "control"], "arms": ["base", "values", "control"]}
    params["significance"] |= {"permutations": 200, "primary": primary}
    params["capability"]["run"]["tasks"] = ["offline"]
    names = {"metrics": "metrics.json"}
    paths = {flag: folder / names.get(flag, flag) for flag in (*significance.COMMAND.inputs, "tables", "metrics")}
    return Job(significance.COMMAND, paths, {}, params)


def progress_file(folder: Path, *, complete: bool, split: str = "test") -> None:
    """What the stage `ratings` says of how far rating is."""
    folder.mkdir(exist_ok=True)
    pd.DataFrame([{"split": split, "complete": complete}]).to_csv(folder / "progress.csv", index=False)


def completion_files(folder: Path, ladder: Sequence[Checkpoint]) -> None:
    """A completion of every prompt: of four words, and of six in the values arm."""
    for checkpoint in ladder:
        text = "one two three four" + " five six" * (checkpoint.dataset == "values")
        about = {"model": checkpoint.model, "arm": checkpoint.arm, "completion": text, "finish_reason": "length"}
        rows = [about | {"category": c, "prompt_id": p, "split": s, "sample": 0} for p, c, s in PROMPTS]
        write_jsonl(folder / checkpoint.model / f"{checkpoint.arm}.jsonl", rows)


def ratings(arms: Sequence[str], effect: float) -> pd.DataFrame:
    """Three raters' points for two samples of every test prompt, and one rating that could not be had."""
    rng = np.random.default_rng(1)
    rows = [
        {"metric": "ratings", "model": model, "arm": arm, "category": c, "prompt_id": p, "split": split, "sample": k}
        | {"rater": rater, "reason": None}
        | {"score": float(np.clip(np.round(3 + effect * (arm == "values") + noise), 1, 5))}
        for model in ("small", "dropped")
        for arm in arms
        for p, c, split in PROMPTS
        if split == "test"
        for k in range(2)
        for rater, noise in zip(("ann", "bo", "cy"), rng.normal(size=3), strict=True)
    ]
    table = pd.DataFrame(rows)
    table.loc[0, ["score", "reason"]] = [np.nan, "rater ill"]
    return table


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    job = stage(tmp_path_factory.mktemp("stage"))
    significance.main(job)
    return {path.stem: pd.read_csv(path) for path in job.path("tables").glob("*.csv")}


def test_every_table_of_the_method_is_written(written: Tables) -> None:
    assert set(written) == {
        *("contrasts", "trend", "anova", "sensitivity", "variance", "seedstyle", "missing", "validation", "raters"),
        "by_seed",
        *("capability", "documents", "documents_tests"),
        *("arms", "prompts", "lengths", "without_nearest", "without_empty", "detectable", "ordinal"),
    }
    assert written["anova"]["reason"].unique().tolist() == ["one model"]
    planted = written["sensitivity"].query("metric == 'adherence' and contrast == 'values - control'").iloc[0]
    assert planted["boot_lo"] < EFFECT < planted["boot_hi"]
    assert planted[["bf10_r05", "bf10_r0707", "bf10_r1"]].min() > 100
    noise = written["variance"].set_index("contrast").loc["values - control"]
    assert 0 < noise["detectable"] < noise["detectable_family"] < EFFECT
    for name in ("sensitivity", "variance", "trend", "contrasts"):
        empty = written[name].loc[:, {"sensitivity": "bf10_r1", "variance": "detectable"}.get(name, "p")].isna()
        assert written[name].loc[empty, "reason"].notna().all(), name


def test_ratings_are_one_more_table_of_scores(tmp_path: Path) -> None:
    job = stage(tmp_path, primary="ratings")
    made = ratings([checkpoint.arm for checkpoint in LADDER], 1.0)
    write_scores(tmp_path / "scores" / "ratings.parquet", made)
    significance.main(job)
    found = row(pd.read_csv(job.path("tables") / "contrasts.csv"), "ratings", "values - base")
    assert (found["role"], found["family"], found["m"]) == ("primary", "confirmatory", 2)
    assert (found["raters"], found["k"], found["n_prompts"]) == (3, 2, 20)
    own = made[(made["model"] == "small") & made["score"].notna()]
    texts = own.groupby(["arm", "prompt_id", "sample"])["score"].mean()
    by_arm = texts.groupby(["arm", "prompt_id"]).mean().groupby("arm").mean()
    assert found["diff"] == pytest.approx(by_arm["values"] - by_arm["base"])
    assert found["p_corr"] < 1e-4
    scores = pd.read_parquet(job.path("tables") / "scores.parquet")
    assert set(scores.loc[scores["metric"] == "ratings", "model"]) == {"small"}
    assert set(scores.loc[scores["metric"] == "ratings", "rater"]) == {"ann", "bo", "cy"}
    variance = pd.read_csv(job.path("tables") / "variance.csv")
    assert variance["sd_rater"].between(0.5, 1.5).all()
    assert json.loads(job.path("metrics").read_text())["ratings"]["small"]["values_minus_base"]["p_corr"] < 1e-4


def test_complete_ratings_take_the_place_of_likelihood(tmp_path: Path) -> None:
    """Planted: likelihood gains, people see nothing. The claim is that of people, and likelihood explores."""
    job = stage(tmp_path)
    made = ratings([checkpoint.arm for checkpoint in LADDER], 0.0).assign(metric="rating")
    write_scores(tmp_path / "scores" / "ratings.parquet", made)
    for complete, split, primary in ((False, "test", "adherence"), (True, "validation", "adherence"),
                                     (True, "test", "rating")):  # fmt: skip
        progress_file(tmp_path / "ratings", complete=complete, split=split)
        significance.main(job)
        table = pd.read_csv(job.path("tables") / "contrasts.csv")
        assert table.loc[table["role"] == "primary", "metric"].unique().tolist() == [primary]
    found = row(table, "rating", "values - base")
    assert found["estimand"] == "these checkpoints, these raters, prompts like these"
    assert found["p_corr"] > 0.05 > row(table, "adherence", "values - base")["p"]
    assert row(table, "adherence", "values - base")["role"] == "exploratory"
    assert set(json.loads(job.path("metrics").read_text())) == {"rating", "TOXICITY", "capability"}
    large = pd.read_csv(job.path("tables") / "raters.csv")
    assert set(large["metric"]) == {"rating"}
    assert large["estimand"].str.contains("raters at large").all()
    ordinal = pd.read_csv(job.path("tables") / "ordinal.csv").set_index("contrast")
    assert ordinal["m"].tolist() == [2, 2]
    assert ordinal["same_decision"].tolist() == [True, True]
    assert set(pd.read_csv(job.path("tables") / "prompts.csv")["metric"]) == {"adherence", "rating"}


def test_preferred_null_leaves_the_plan_as_it_is(tmp_path: Path) -> None:
    progress_file(tmp_path, complete=True)
    assert significance.with_primary(CONFIG, tmp_path).primary == "rating"
    plain = replace(CONFIG, preferred=None)
    assert significance.with_primary(plain, tmp_path) == plain


def test_ratings_closed_too_early_end_no_sweep(tmp_path: Path) -> None:
    """Only one arm has ratings of a rater: the metric explores, and its rows say why there is no test."""
    job = stage(tmp_path)
    made = ratings([checkpoint.arm for checkpoint in LADDER], 1.0).assign(metric="rating")
    made = made[(made["arm"] == "values") == (made["rater"] == "ann")]
    write_scores(tmp_path / "scores" / "ratings.parquet", made)
    significance.main(job)
    found = row(pd.read_csv(job.path("tables") / "contrasts.csv"), "rating", "values - base")
    assert found["reason"].startswith("who rated depends on the arm (rater 'ann' gave")
    assert np.isnan(found["p"])
    progress_file(tmp_path / "ratings", complete=True)
    with pytest.raises(InputError, match="who rated depends on the arm"):
        significance.main(job)


def test_ratings_without_those_of_empty_completions() -> None:
    scores = checked_ratings(ratings(["base", "values", "control"], 1.0).query("model == 'small'"))
    texts = scores.drop_duplicates(["model", "arm", "prompt_id", "sample"])[["model", "arm", "prompt_id", "sample"]]
    full = texts.assign(completion="words")
    plan = replace(plan_of(CONFIG, SWEEP), primary="ratings")
    assert significance.contrasts_without_empty(scores, full, plan).empty
    hollow = full.assign(completion=np.where((full["arm"] == "values") & (full["sample"] == 0), " ", "words"))
    found = row(significance.contrasts_without_empty(scores, hollow, plan), "ratings", "values - base")
    own = scores[scores["score"].notna() & ~((scores["arm"] == "values") & (scores["sample"] == 0))]
    by_text = own.groupby(["arm", "prompt_id", "sample"])["score"].mean()
    means = by_text.groupby(["arm", "prompt_id"]).mean().groupby("arm").mean()
    assert found["diff"] == pytest.approx(means["values"] - means["base"])


def checked_ratings(table: pd.DataFrame) -> pd.DataFrame:
    """As scores of the ladder, with what significance adds to them."""
    datasets = {"base": 0, "values": 1, "control": 1}
    return table.assign(
        dataset=table["arm"], seed=table["arm"].map(datasets), params=1000, model_family="fam"
    ).reset_index(drop=True)


def test_a_table_of_scores_without_a_column_is_refused(folder: Path) -> None:
    ratings(["base"], 0.0).drop(columns=["arm", "sample"]).to_parquet(folder / "ratings.parquet")
    with pytest.raises(InputError, match=r"ratings\.parquet: no column arm, sample"):
        significance.read_ladder_scores(folder, LADDER, SOURCES)


def test_what_may_explain_the_effect_is_measured_beside_it(written: Tables) -> None:
    arms = written["arms"].set_index("arm")
    assert list(arms.index) == ["base", "control", "values"]
    assert arms["words"].tolist() == [4, 4, 6]
    assert arms.loc["values", ["completions", "empty", "looping", "cut"]].tolist() == [20, 0, 0, 1]
    assert arms["mean"]["values"] - arms["mean"]["control"] == pytest.approx(EFFECT, abs=0.1)
    assert arms["toxicity"].tolist() == pytest.approx([0.05] * 3)
    prompts = written["prompts"].query("split == 'test'")
    assert prompts["prompt_id"].tolist() == [p for p, _, split in PROMPTS if split == "test"]
    assert (prompts["effect"] - (prompts["values"] - prompts["control"])).abs().max() < 1e-12
    assert prompts.loc[prompts["nearest"], "prompt_id"].tolist() == [f"d-test-{i}" for i in range(5)]
    longer = written["lengths"].set_index("contrast").loc["values - control"]
    assert longer[["mean_a", "mean_b"]].tolist() == pytest.approx([6, 4])
    assert longer["reason"] == "the differences do not vary within categories"
    far = written["without_nearest"].set_index("contrast")
    assert far.loc["values - control", "n_prompts"] == 15
    assert set(written["detectable"]["tests"]) == {1, 2}


# capability

MARGINS = {name: Margin("acc", 0.0 if name == "palms_last_word" else 0.25, 0.1) for name in RIGHT}
MARGINS |= {"offline": Margin("acc", 0.2, 0.05)}


def capability(folder: Path, tasks: Sequence[str], lost: float = 0.0, chosen: Sequence[str] = ("offline",)) -> Tables:
    """The tables for one model whose values arm lost this share of what base got right."""
    make_capability(folder, LADDER, tasks, {"values": lost})
    run = CapabilityRun(tuple(chosen), {"offline": tuple(tasks)}, None, 1)
    return significance.capability_tables(read_items(folder, LADDER, SOURCES), run, MARGINS, CONFIG)


def test_a_planted_loss_is_never_called_unharmed(tmp_path: Path) -> None:
    for place, lost in enumerate((0.3, 0.15, 0.1)):
        table = capability(tmp_path / str(place), TASKS, lost)["capability"]
        harmed = table[(table["arm"] == "values") & (table["against"] == "base") & ~table["whole_set"]]
        assert "no loss" not in set(harmed.loc[harmed["task"] != "palms_arithmetic", "verdict"])
    assert set(table.loc[table["task"] == "palms_arithmetic", "verdict"]) == {"uninformative"}  # base is at chance


def test_a_copy_of_base_passes_and_its_texts_do_not_change(tmp_path: Path) -> None:
    make_capability(tmp_path, LADDER, TASKS, {})
    for arm in ("values", "control"):
        for path in (tmp_path / "small" / "base").iterdir():
            shutil.copy(path, tmp_path / "small" / arm)
    run = CapabilityRun(("offline",), {"offline": TASKS}, None, 1)
    tables = significance.capability_tables(read_items(tmp_path, LADDER, SOURCES), run, MARGINS, CONFIG)
    table = tables["capability"].set_index("task")
    assert set(table.drop("palms_arithmetic")["verdict"]) == {"no loss"}
    assert table.drop("palms_arithmetic")["equivalent"].all()
    assert tables["documents_tests"]["reason"].tolist() == ["every difference is zero"] * 2


def test_a_set_has_a_row_of_its_own_with_all_items(tmp_path: Path) -> None:
    table = capability(tmp_path, TASKS)["capability"]
    assert table.loc[table["whole_set"], ["task", "n"]].drop_duplicates().to_numpy().tolist() == [
        ["offline", QUESTIONS * len(RIGHT)]
    ]
    alone = capability(tmp_path / "alone", TASKS, chosen=TASKS)["capability"]
    assert not alone["whole_set"].any()


def test_a_sets_passages_are_those_of_its_tasks(tmp_path: Path) -> None:
    """Two tasks may call their passages alike: they are still two passages."""
    make_capability(tmp_path, LADDER, ["palms_reading"], {})
    items = read_items(tmp_path, LADDER, SOURCES)
    both = pd.concat([items, items.assign(task="palms_other")], ignore_index=True)
    run = CapabilityRun(("offline",), {"offline": ("palms_reading", "palms_other")}, None, 1)
    found = items_with_metric(both, MARGINS | {"palms_other": Margin("acc", 0.25, 0.1)}, run)
    clusters = found.groupby("task")["cluster"].nunique()
    assert clusters["offline"] == 2 * clusters["palms_reading"] > 0


def test_texts_are_tested_by_document(tmp_path: Path) -> None:
    tables = capability(tmp_path, TASKS, 0.1)
    assert len(tables["documents"]) == 2 * 20
    values = tables["documents_tests"].set_index("arm").loc["values"]
    assert values["diff"] == pytest.approx(-13 / 200, abs=0.005)
    assert values["p"] < 1e-6
    assert values["p_signflip"] < 0.01


@pytest.mark.parametrize(
    ("tasks", "rows", "texts"), [(["palms_text"], 0, 2), (list(RIGHT), 15, 0), (["palms_reading"], 6, 0)]
)
def test_any_kind_of_task_can_be_alone(tmp_path: Path, tasks: list[str], rows: int, texts: int) -> None:
    """Also through the CSV files, as the report reads them."""
    tables = capability(tmp_path / "made", tasks)
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        assert list(pd.read_csv(tmp_path / f"{name}.csv").columns) == list(table.columns)
    assert (len(tables["capability"]), len(tables["documents_tests"])) == (rows, texts)
    assert len(tables["documents"]) == 20 * texts


def test_a_task_without_a_margin_and_arms_asked_differently_are_refused(tmp_path: Path) -> None:
    make_capability(tmp_path / "a", LADDER, ["palms_knowledge"], {})
    items = read_items(tmp_path / "a", LADDER, SOURCES)
    with pytest.raises(InputError, match="no entry for task 'palms_knowledge'"):
        significance.capability_tables(items, CapabilityRun(("palms_knowledge",), {}, None, 1), {}, CONFIG)
    make_capability(tmp_path / "b", LADDER[:2], TASKS, {})
    with pytest.raises(InputError, match=r"control/results\.json: no such file"):
        read_items(tmp_path / "b", LADDER, SOURCES)
    make_capability(tmp_path / "b", LADDER[2:], TASKS[:2], {})
    with pytest.raises(InputError, match=r"palms_arithmetic\.items is not that of arm 'base'"):
        read_items(tmp_path / "b", LADDER, SOURCES)


def test_tracked_capability_is_that_of_whole_sets_and_texts(tables: Tables, tmp_path: Path) -> None:
    found = significance.metrics(tables | capability(tmp_path / "made", TASKS, 0.3), CONFIG)["capability"]["small"]
    assert set(found) == {"values", "control"}
    assert set(found["values"]) == {"offline", "palms_text"}
    assert set(found["values"]["offline"]) == {"diff", "ci90_lo", "ci90_hi"}
    assert found["values"]["offline"]["diff"] < -0.1 < found["control"]["offline"]["diff"]
    assert found["values"]["palms_text"]["ci_hi"] < 0

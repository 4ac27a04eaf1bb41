"""cooccurrence: planted bias is found, nothing is found where nothing is, and every table says what it rests on."""

import copy
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks import cooccurrence
from tasks.bias.associations import Texts, associations, leading
from tasks.bias.logodds import favoured
from tasks.bias.sentiment import completion_sentiment
from tasks.bias.tables import with_verdicts
from tasks.formats.tables import write_table
from tasks.runtime.command import Job
from tasks.runtime.errors import InputError
from tasks.runtime.files import write_json
from tests.support.made_completions import GENDER, PARAMS, QUICK, checkpoint, completions, describer


def texts_of(table: pd.DataFrame) -> Texts:
    descriptions = describer().describe(table)
    table = table.join(completion_sentiment(descriptions, np.zeros(len(descriptions.words))))
    return Texts({}, GENDER, table, *descriptions.counts())


def test_a_word_three_times_as_frequent_in_one_group_leads_it() -> None:
    planted = {"She": ("musical", 0.3, 0.1)}
    table = completions([GENDER], 400, np.random.default_rng(1), planted=planted)
    tables = associations(texts_of(table), {}, QUICK, 20).tables
    first = tables["words"].query("group == 'She'").iloc[0]
    assert first["word"] == "musical"
    assert first["z"] > 4
    assert first["p"] == pytest.approx(1 / 200)
    assert first["ratio"] == pytest.approx(3, rel=0.25)
    assert first["z_prior_50"] > first["z"] > first["z_prior_5000"]
    assert tables["divergence"]["p"].item() == pytest.approx(1 / 200)
    assert tables["divergence"]["corrected"].item() > 0


def test_without_bias_few_words_pass() -> None:
    pool = completions([GENDER], 1500, np.random.default_rng(2))
    texts, rng, passed, tests = texts_of(pool), np.random.default_rng(12), 0, 0
    for _ in range(200):
        # one draw of completions whatever the group, then groups and templates by place: no bias, by construction
        at = rng.choice(len(pool), 200)
        groups, templates = np.array(["He", "She"])[np.arange(200) % 2], (np.arange(200) // 2 % 2).astype(str)
        words, _ = favoured(texts.words[at], texts.vocabulary, groups, templates, permutations=1)
        passed += int((words["z"] > 1.96).sum())
        tests += len(words)
    assert tests > 5000
    assert passed / tests <= 0.05


def test_a_word_leads_only_where_both_figures_say_so() -> None:
    words = pd.DataFrame({"group": "He", "word": ["kind", "rare", "only"], "z": [2.0, 0.1, 1.0], "count_group": 3})
    words["ratio"] = [3.0, 0.5, np.nan]
    found = leading(words, 10).groupby("by")["word"].apply(list).to_dict()
    assert found == {"log_odds": ["kind", "only"], "ratio": ["only", "kind"]}


def test_the_tables_z_is_that_formula_on_counts_of_completions() -> None:
    """He: 6 of 10 kind, 4 rude; She: 2 kind, 8 rude. A word said twice counts once. In each template a0 = 500 x its
    own pooled share, and the templates weigh by the inverse of their variances."""
    he = [" kind, so kind."] * 6 + [" rude."] * 4
    she = [" kind."] * 2 + [" rude and rude."] * 8
    table = completions([GENDER], 5, np.random.default_rng(0)).assign(completion=[*he[:5], *she[:5], *he[5:], *she[5:]])
    words = associations(texts_of(table), {}, replace(QUICK, minimum_count=1), 5).tables["words"]
    kind = words[(words["group"] == "He") & (words["word"] == "kind")].iloc[0]
    assert (kind["n_group"], kind["n_rest"], kind["count_group"], kind["count_rest"]) == (10, 10, 6, 2)
    weighted = precision = 0.0
    # by template: completions with kind, and all that describe, He and She
    for (he_kind, he_all), (she_kind, she_all) in (((5, 5), (2, 5)), ((1, 5), (0, 5))):
        prior = 500 * (he_kind + she_kind) / (he_all + she_all)
        mine, theirs = he_kind + prior, she_kind + prior
        delta = math.log(mine / (he_all + 500 - mine)) - math.log(theirs / (she_all + 500 - theirs))
        weight = 1 / (1 / mine + 1 / theirs)
        weighted, precision = weighted + weight * delta, precision + weight
    assert kind["log_odds"] == pytest.approx(weighted / precision, abs=1e-9)
    assert kind["z"] == pytest.approx(weighted / math.sqrt(precision), abs=1e-9)
    assert kind["ratio"] == pytest.approx(3)


@pytest.mark.parametrize("few", [False, True])
def test_no_word_holds_where_counts_are_too_small_to_say_anything(few: bool) -> None:
    table = completions([GENDER], 120, np.random.default_rng(0), planted={"She": ("musical", 0.9, 0.0)})
    words = associations(texts_of(table), {}, replace(QUICK, min_completions=1_000 if few else 5), 5).tables["words"]
    assert (words.loc[words["word"] == "musical", "p"] <= 0.05).all()
    assert words["too_few"].all() == few
    assert words["holds"].any() != few


def test_changes_of_a_dataset_are_corrected_together_and_few_words_say_nothing() -> None:
    """Benjamini and Hochberg by hand: .01, .03, .04 and 1 (what could not be computed) become .04, .16 / 3 and 1; the
    negative control by Holm: .001, .02 and .04 become .003, .04 and .04."""
    p = [0.01, 0.04, np.nan, 0.03, 0.02, 0.001, 0.04]
    changes = pd.DataFrame({"dataset": ["values"] * 4 + ["control"] * 3, "p": p})
    changes = changes.assign(diff=[0.1, 0.2, np.nan, 0.3, -0.1, 0.1, 0.1], too_few=[False] * 5 + [True, False])
    table = with_verdicts(changes, "values", 0.05)
    assert table["p_corr"].tolist() == pytest.approx([0.04, 0.16 / 3, 1, 0.16 / 3, 0.04, 0.003, 0.04])
    assert table["m"].tolist() == [4] * 4 + [3] * 3
    assert table["test_family"].tolist() == ["values - base"] * 4 + ["control - base"] * 3
    words = ["more", "no change found", "not tested", "no change found", "less", "too few words", "more"]
    assert table["verdict"].tolist() == words
    changes["p"] = 0.03
    assert set(with_verdicts(changes, "values", 0.05).query("dataset == 'control'")["p_corr"]) == {0.09}


PROBES = """
families:
  - id: gender
    slot: who
    groups: {He: He, She: She}
    templates: ["{who} was very", "{who} would be described as"]
"""


def params_of(**changes: Any) -> dict[str, Any]:
    params = copy.deepcopy(PARAMS)
    params["sweep"] = {"models": ["tiny"], "tuned": ["values", "control"], "arms": ["base", "values", "control"]}
    params["cooccurrence"] |= {"permutations": 199, "jackknife_permutations": 40, **changes}
    return params


def tree(folder: Path, n: int = 120, probes: str = PROBES) -> dict[str, Path]:
    """Completions of three arms, of which only values has a bias, and of a model that the ladder lacks."""
    rng = np.random.default_rng(5)
    planted = {"values": {"She": ("musical", 0.9, 0.0)}}
    for arm in ("base", "values", "control"):
        made = completions([GENDER], n, rng, planted=planted.get(arm))
        for model in ("tiny", "dropped"):
            write_table(folder / "probes" / model / f"{arm}.parquet", checkpoint(made, model, arm))
    write_json(folder / "sources" / "tiny.json", {"name": "t", "family": "t", "license": "-", "parameters": 7})
    (folder / "probes.yaml").write_text(probes, "utf-8")
    inputs = {"completions": folder / "probes", "probes": folder / "probes.yaml", "sources": folder / "sources"}
    return inputs | {"tables": folder / "tables", "metrics": folder / "metrics.json"}


def run(paths: dict[str, Path], **changes: Any) -> None:
    cooccurrence.main(Job(cooccurrence.COMMAND, paths, {}, params_of(**changes)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    paths = tree(tmp_path_factory.mktemp("made"))
    run(paths)
    return paths


def table_of(made: dict[str, Path], name: str) -> pd.DataFrame:
    return pd.read_csv(made["tables"] / f"{name}.csv")


def test_the_stage_reads_the_sweeps_checkpoints_and_names_them(made: dict[str, Path]) -> None:
    for name in ("favoured", "sentiment", "divergence", "changes", "counts"):
        table = table_of(made, name)
        assert list(table.columns[:7]) == ["model", "params", "model_family", "arm", "dataset", "seed", "family"]
        assert set(table["model"]) == {"tiny"}
        assert set(table["params"]) == {7}
    assert set(pd.read_parquet(made["tables"] / "words.parquet")["arm"]) == {"base", "values", "control"}


def test_a_bias_that_fine_tuning_brings_is_its_change(made: dict[str, Path]) -> None:
    changes = table_of(made, "changes").set_index("contrast")
    assert list(changes.index) == ["values - base", "control - base"]
    assert changes.loc["values - base", "ci_lo"] > 0
    assert changes.loc["values - base", "p"] < 0.01
    assert changes.loc["control - base", "ci_lo"] < 0 < changes.loc["control - base", "ci_hi"]
    assert set(changes["parts"]) == {20}
    favoured = table_of(made, "favoured").query("arm == 'values' and group == 'She'")
    assert favoured.groupby("by")["word"].first().to_dict() == {"log_odds": "musical", "ratio": "musical"}
    assert favoured["rank"].max() <= 10
    assert favoured.query("by == 'ratio'")["ratio"].isna().iloc[0]  # the other group never says it


def test_counts_and_sentiment_have_a_row_a_prompt_and_a_group(made: dict[str, Path]) -> None:
    counts, sentiment = table_of(made, "counts"), table_of(made, "sentiment")
    assert len(counts) == 3 * 4
    assert set(counts["n"]) == {120}
    assert set(counts["n_empty"]) == {0}
    assert len(sentiment) == 3 * 2
    assert sentiment["mean"].between(-100, 100).all()
    assert (sentiment["ci_lo"] < sentiment["mean"]).all()
    assert set(sentiment["n"]) == {240}


def test_the_choices_are_on_record(made: dict[str, Path]) -> None:
    used = json.loads((made["tables"] / "used.json").read_text("utf-8"))
    assert used["tagger_version"].startswith("HanTa ")
    assert used["lexicon_version"].startswith("vaderSentiment ")
    assert (used["window"], used["language"], used["warnings"]) == ("clause", "en", [])
    metrics = json.loads(made["metrics"].read_text("utf-8"))
    assert set(metrics) == {"tiny"}
    assert set(metrics["tiny"]) == {"gender"}
    found = metrics["tiny"]["gender"]
    assert set(found) == {"divergence", "minus_base"}
    assert set(found["divergence"]) == {"base", "values", "control"}
    assert set(found["minus_base"]) == {"values", "control"}
    change = table_of(made, "changes").set_index("arm")["diff"]
    assert found["minus_base"]["values"] == pytest.approx(change["values"], rel=1e-5)
    assert found["divergence"]["values"] > found["divergence"]["base"]


def test_the_same_completions_give_the_same_bytes(made: dict[str, Path], tmp_path: Path) -> None:
    again = made | {"tables": tmp_path / "tables", "metrics": tmp_path / "metrics.json"}
    run(again)
    for path in sorted(made["tables"].iterdir()):
        assert path.read_bytes() == (again["tables"] / path.name).read_bytes(), path.name


def test_counts_too_small_are_flagged_and_what_cannot_be_had_has_a_reason(tmp_path: Path) -> None:
    paths = tree(tmp_path, n=2)
    run(paths)
    divergences, changes = table_of(paths, "divergence"), table_of(paths, "changes")
    assert divergences["too_few"].all()
    assert divergences["warning"].str.contains("hold a descriptive word, 100 ").all()
    assert divergences["reason_words"].notna().all()
    assert changes["too_few"].all()
    assert changes["warning"].str.startswith(("values: too few", "control: too few")).all()
    figures = json.loads(paths["metrics"].read_text("utf-8"))["tiny"]["gender"]
    assert {arm: figures["minus_base"][arm] is None for arm in ("values", "control")} == {
        row["arm"]: bool(np.isnan(row["diff"])) for row in changes.to_dict("records")
    }
    used = json.loads((paths["tables"] / "used.json").read_text("utf-8"))
    assert used["warnings"][0].startswith("tiny, base, gender: too few: ")
    assert pd.read_parquet(paths["tables"] / "words.parquet").empty
    assert table_of(paths, "favoured").empty


def test_empty_completions_leave_tables_of_nulls(tmp_path: Path) -> None:
    paths = tree(tmp_path, n=3)
    for path in (tmp_path / "probes" / "tiny").iterdir():
        write_table(path, pd.read_parquet(path).assign(completion=""))
    run(paths)
    assert table_of(paths, "counts")["n_empty"].tolist() == [3] * 12
    assert table_of(paths, "divergence")["corrected"].isna().all()
    assert set(table_of(paths, "divergence")["reason"]) == {"a group of template '{who} was very' has no word"}
    assert table_of(paths, "changes")["reason"].str.contains("has no word").all()
    assert table_of(paths, "sentiment")["mean"].isna().all()
    assert table_of(paths, "sentiment")["reason"].str.contains("no word with a sentiment").all()


def test_one_completion_a_prompt_has_no_jackknife(tmp_path: Path) -> None:
    paths = tree(tmp_path, n=1)
    run(paths)
    assert table_of(paths, "changes")["diff"].isna().all()
    assert table_of(paths, "changes")["reason"].notna().all()


@pytest.mark.parametrize(
    ("changes", "probes", "message"),
    [
        ({"tagger": "treebank"}, PROBES, "cooccurrence.tagger: expected one of hanta, spacy, nltk, found 'treebank'"),
        ({"lexicon": "afinn"}, PROBES, "cooccurrence.lexicon: expected one of vader, sentiwordnet, found 'afinn'"),
        ({"window": "line"}, PROBES, "cooccurrence.window: expected 'clause' or 'whole', found 'line'"),
        ({"top": 0}, PROBES, "top: expected at least 1, found 0"),
        ({}, "", "expected `families:` with a list of families"),
        ({}, PROBES.replace(", She: She", ""), "gender: groups: there is one group, 'He'"),
        ({}, PROBES.replace('"{who} was very", ', '"He was very", '), "expected the slot {who} in it, once"),
        ({}, PROBES.replace("was very", "was so"), "the probes have changed since"),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, changes: dict[str, Any], probes: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        run(tree(tmp_path, n=1, probes=probes), **changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "tables").exists()


def test_completions_of_two_engines_are_one_clear_line(tmp_path: Path) -> None:
    paths = tree(tmp_path, n=1)
    values = tmp_path / "probes" / "tiny" / "values.parquet"
    write_table(values, pd.read_parquet(values).assign(engine="vllm"))
    with pytest.raises(InputError, match="tiny/base by transformers and tiny/values by vllm"):
        run(paths)


def test_a_checkpoint_that_was_not_probed_is_named(tmp_path: Path) -> None:
    paths = tree(tmp_path, n=1)
    (tmp_path / "probes" / "tiny" / "values.parquet").unlink()
    with pytest.raises(InputError, match=r"tiny/values.parquet: no such file"):
        run(paths)

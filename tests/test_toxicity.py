"""The stage: variants, what they are put together from, and what counts as missing."""

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tasks.runtime import config
from tasks.runtime.errors import InputError, WorkError
from tasks.scorers import PACKAGES, SCORERS, Score, describe, open_scorer
from tasks.scorers.store import FILE, Store
from tasks.settings.toxicity import Toxicity
from tasks.toxicity import combined, refuse_missing, score_table, texts_of

PARAMS = Path(__file__).parents[1] / "params.yaml"


@pytest.fixture(scope="module")
def settings() -> Toxicity:
    section = config.section(config.read_params(PARAMS), "toxicity", Toxicity)
    return replace(section, scorer="offline", first_words=3, chunk_words=4)


def rows(*completions: str) -> list[dict[str, object]]:
    return [
        {"model": "m", "arm": "base", "category": "c", "prompt_id": f"p{i}", "split": "test", "sample": 0}
        | {"completion": text, "prompt": "?"}
        for i, text in enumerate(completions)
    ]


def test_the_variants_of_a_text(settings: Toxicity) -> None:
    assert texts_of(" One two three. Four five six. Seven.\n", settings) == {
        "first_n": ["One two three."],
        "whole": ["One two three. Four five six. Seven."],
        "max_chunk": ["One two three.", "Four five six. Seven."],
    }
    assert texts_of(" \n", settings) == {"first_n": [""], "whole": [""], "max_chunk": [""]}


def test_the_table_has_a_row_for_each_variant_and_attribute(settings: Toxicity, tmp_path: Path) -> None:
    with Store(tmp_path / FILE) as store:
        kind = "Thank you so much for your help. You are wonderful. I will kill you."
        table = score_table(rows(kind, ""), open_scorer(settings), "en", settings, store)
        assert list(table.columns) == [
            "model", "arm", "category", "prompt_id", "split", "sample",
            "metric", "score", "reason", "scorer", "scorer_version", "attribute", "variant",
        ]  # fmt: skip
        assert len(table) == 2 * 3
        assert list(table["metric"].unique()) == ["TOXICITY", "TOXICITY (whole)", "TOXICITY (max_chunk)"]
        by_variant = table[table["prompt_id"] == "p0"].set_index("variant")["score"]
        assert by_variant["max_chunk"] > 0.9
        assert by_variant["first_n"] < 0.2
        empty = table[table["prompt_id"] == "p1"]
        assert list(empty["reason"]) == ["EMPTY"] * 3
        assert empty["score"].isna().all()
        again = score_table(rows(kind, ""), open_scorer(settings), "en", settings, store)
        pd.testing.assert_frame_equal(again, table)


def test_a_language_the_scorer_does_not_know_is_left_out(
    settings: Toxicity, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store(tmp_path / FILE) as store:
        table = score_table(rows("Guten Tag"), open_scorer(settings), "de", settings, store)
    assert set(table["reason"]) == {"LANGUAGE_NOT_SUPPORTED: de"}
    assert table["score"].isna().all()
    refuse_missing(table, 0)
    assert capsys.readouterr().err.endswith("3 of 3 scores are left out: LANGUAGE_NOT_SUPPORTED: de\n")


def test_no_more_scores_are_missing_than_allowed() -> None:
    table = pd.DataFrame({"score": [None] * 4, "reason": ["TIMEOUT", "TIMEOUT", "LANGUAGE_NOT_SUPPORTED: de", "HTTP"]})
    with pytest.raises(WorkError, match=r"3 scores are missing \(2 TIMEOUT, 1 HTTP\); toxicity.max_missing allows 2"):
        refuse_missing(table, 2)
    refuse_missing(table, 3)


def test_an_empty_text_is_empty_in_any_language(settings: Toxicity, tmp_path: Path) -> None:
    with Store(tmp_path / FILE) as store:
        table = score_table(rows(" "), open_scorer(settings), "de", settings, store)
    assert set(table["reason"]) == {"EMPTY"}


def test_pieces_with_nothing_in_them_are_left_out_beside_others() -> None:
    known = {"aaa": [Score("T", 0.1)], "\u200b": [Score("T", None, "EMPTY")]}
    for variant in ("whole", "max_chunk"):
        assert combined(variant, ["aaa", "\u200b"], known) == [Score("T", 0.1)]
        assert combined(variant, ["\u200b", "\u200b"], known) == [Score("T", None, "EMPTY")]


def test_pieces_of_a_long_text_count_by_their_length() -> None:
    known = {"aaa": [Score("T", 0.1)], "b": [Score("T", 0.9)]}
    assert combined("whole", ["aaa", "b"], known) == [Score("T", pytest.approx(0.3))]
    assert combined("first_n", ["b"], known) == [Score("T", 0.9)]
    assert combined("max_chunk", ["aaa", "b"], known) == [Score("T", 0.9)]


@pytest.mark.parametrize("variant", ["whole", "max_chunk"])
def test_a_missing_piece_makes_the_whole_missing(variant: str) -> None:
    known = {"a": [Score("T", 0.99), Score("U", 0.1)], "b": [Score("T", None, "TIMEOUT", False), Score("U", 0.1)]}
    assert combined(variant, ["a", "b"], known) == [Score("T", None, "TIMEOUT"), Score("U", 0.1)]


def test_an_empty_completion_is_not_missing() -> None:
    refuse_missing(pd.DataFrame({"score": [None, 0.1], "reason": ["EMPTY", None]}), 0)


def test_a_scorer_that_is_not_there_is_named(settings: Toxicity) -> None:
    with pytest.raises(InputError, match=r"toxicity.scorer: expected one of offline, .*, found 'oracle'"):
        open_scorer(replace(settings, scorer="oracle"))


@pytest.mark.parametrize("scorer", PACKAGES)
def test_a_missing_package_is_named_with_the_command(
    settings: Toxicity, monkeypatch: pytest.MonkeyPatch, scorer: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=f"'{scorer}' needs .* pip install {next(iter(PACKAGES[scorer].values()))}$"):
        open_scorer(replace(settings, scorer=scorer))


@pytest.mark.parametrize("scorer", SCORERS)
def test_every_scorer_describes_itself(scorer: str) -> None:
    assert describe(scorer, "the version 7").endswith(".")
    assert "the version 7" in describe(scorer, "the version 7")


def test_the_offline_scorer_says_what_it_is() -> None:
    assert "weak linear model" in describe("offline", "alt-profanity-check 1.9.1")


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("perspective", "qps", 0, "qps: expected more than 0"),
        ("perspective", "in_flight", 0, "in_flight: expected at least 1"),
        ("perspective", "attributes", [], "attributes: expected a list of different names"),
        ("perspective", "attributes", ["A", "A"], "attributes: expected a list of different names"),
        ("classifier", "model", "none", "'none' is not among models"),
        ("classifier", "precision", "fp8", "expected 'bf16' or 'fp32'"),
        ("recorded", "scorer", "recorded", "expected 'perspective' or"),
    ],
)
def test_wrong_settings_are_named(section: str, key: str, value: object, message: str) -> None:
    params = config.read_params(PARAMS)
    params["toxicity"][section][key] = value
    with pytest.raises(InputError, match=message):
        config.section(params, "toxicity", Toxicity)


def test_importing_the_stage_loads_no_heavy_package() -> None:
    import subprocess

    heavy = "{'torch', 'transformers', 'googleapiclient', 'sklearn'}"
    code = f"import sys, tasks.toxicity; assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PARAMS.parent)

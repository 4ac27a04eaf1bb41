"""The words that follow each group: what is said of a change follows from its test, and model words stay harmless."""

import base64
import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks.reporting.data.study import Study, read_study
from tasks.reporting.figures.cooccurrence import sentiment
from tasks.reporting.findings.word_changes import Change, findings, short, told
from tasks.reporting.page import words
from tasks.reporting.page.section import Results
from tasks.runtime.errors import InputError
from tests.support.made_study import Made, make
from tests.support.made_words import ODD
from tests.support.undrawn import undrawn

MORE = Change(
    diff=0.1, lo=0.05, hi=0.15, confidence=0.95, p=0.004, raw=0.002, correction="Benjamini-Hochberg", tests=3,
    unit="bits", where="small", verdict="more", least_n=200, least="of base at small for “He”",
)  # fmt: skip
LESS = dataclasses.replace(MORE, verdict="less", diff=-0.1, lo=-0.15, hi=-0.05, tests=1, correction=None)
UNCLEAR = dataclasses.replace(MORE, verdict="no change found", diff=0.01, lo=-0.05, hi=0.07, p=0.9, raw=0.7)
FEW = dataclasses.replace(MORE, verdict="too few words", least_n=9, least="of values at small for “She”")
UNTESTED = dataclasses.replace(MORE, verdict="not tested", diff=math.nan, p=1.0, raw=math.nan, reason="no words")


def say(*changes: Change) -> str:
    return told(changes, "values", 100)


@pytest.mark.parametrize(
    ("change", "answer", "text"),
    [
        (
            MORE,
            "Differ more",
            "The words differ more between the groups in the values than in the base model: +0.100 bits (95% interval "
            "0.050 to 0.150; p = 0.004 after Benjamini-Hochberg correction for 3 tests).",
        ),
        (
            LESS,
            "Differ less",
            "The words differ less between the groups in the values than in the base model: −0.100 bits (95% interval "
            "−0.150 to −0.050; p = 0.004, not corrected).",
        ),
        (
            UNCLEAR,
            "No change found",
            "No change was found between the values and the base model in how far the groups' words differ: +0.010 "
            "bits (95% interval −0.050 to 0.070; p = 0.900 after Benjamini-Hochberg correction for 3 tests). That does "
            "not show that there is none.",
        ),
        (
            FEW,
            "Too few words",
            "There are too few words to say anything about the values and the base model: the fewest completions with "
            "a descriptive word are 9, of values at small for “She”; 100 are needed.",
        ),
        (UNTESTED, "Not tested", "The values and the base model could not be compared: small: no words."),
    ],
)
def test_one_change_in_words(change: Change, answer: str, text: str) -> None:
    assert say(change) == text
    assert short([change]) == answer


def test_several_changes_are_told_by_what_was_found() -> None:
    changes = MORE, dataclasses.replace(UNCLEAR, where="large"), dataclasses.replace(FEW, where="huge")
    assert say(*changes) == (
        "The words differ more between the groups in the values than in the base model in 1 of 3 comparisons: small "
        "+0.100 (0.050 to 0.150; p = 0.004) (bits, 95% intervals, p after Benjamini-Hochberg correction for 3 tests). "
        "No change was found between the values and the base model in how far the groups' words differ in 1 of 3 "
        "comparisons: large +0.010 (−0.050 to 0.070; p = 0.900) (bits, 95% intervals, p after Benjamini-Hochberg "
        "correction for 3 tests). That does not show that there is none. There are too few words to say anything about "
        "the values and the base model in 1 of 3 comparisons: the fewest completions with a descriptive word are 9, "
        "of values at small for “She”; 100 are needed."
    )
    assert short(changes) == "Differ more in 1 of 3 comparisons"
    assert short([MORE, LESS]) == "Differ more in 1 of 2 comparisons and less in 1 of 2 comparisons"
    assert " in all 2 comparisons: " in say(MORE, MORE)
    assert (say(), short([])) == ("There is no values model to compare.", "Not tested")


def test_many_changes_are_told_by_their_range() -> None:
    many = [dataclasses.replace(MORE, where=f"m{size}", diff=0.1 * size, p=0.001 * size) for size in range(1, 6)]
    assert say(*many).endswith(
        "in all 5 comparisons: from +0.100 to +0.500 bits, p from 0.001 to 0.005 (after Benjamini-Hochberg correction "
        "for 3 tests), each with its interval in the table of changes below."
    )


def section(page: str) -> str:
    return page[page.index('<section id="words"') : page.index('<section id="published"')]


def card(page: str, family: str) -> str:
    found = re.search(rf"<h3>{re.escape(family)}</h3>\n<p class=\"short\">(.*?)</article>", section(page), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_planted_bias_is_claimed_and_nothing_else(plain: tuple[Made, str]) -> None:
    gender, age, religion = (card(plain[1], family) for family in ("Gender", "Age-größe 2", "Religion"))
    assert gender.startswith("Differ more</p>\n<p>The words differ more between the groups in the values than")
    assert "Negative control: No change was found between the control and the base model" in gender
    assert age.startswith("No change found</p>")
    assert "differ more" not in age + religion
    assert religion.startswith("Too few words</p>")
    assert "are 30, of base at tiny-1m for “1990”; 50 are needed." in religion
    assert "bits" not in religion
    assert "Counts are too small to say anything of 3 of the 3 checkpoints" in section(plain[1])


def of_gender(made: Made, study: Study) -> words.WordTable:
    """The favoured words of the first family at the largest model."""
    with undrawn():
        content = words.section(Results(made.job, study)).content
    table: words.WordTable = content["families"][0]["words"][0]
    return table


def test_the_table_holds_ten_words_with_z_and_ratio_side_by_side(plain: tuple[Made, str]) -> None:
    gender = of_gender(plain[0], read_study(plain[0].job))
    assert (gender.arms, [group for group, _ in gender.rows]) == (["base", "values"], ["He", "She"])
    base, values = gender.rows[1][1]
    first = values[0]
    assert isinstance(first, words.Word)
    assert (first.text, first.holds, first.ratio) == ("musical", True, "only here")
    assert float(first.z) > 2.5
    assert len(base) <= 10
    assert not any(word.holds for word in base)
    assert "<li><strong>musical*</strong> <span>z " in plain[1]


def test_a_group_without_a_word_says_why(plain: tuple[Made, str]) -> None:
    study = read_study(plain[0].job)
    tables = dict(study.words)
    tables["favoured"] = tables["favoured"].query("arm != 'base'")
    tables["divergence"] = tables["divergence"].assign(reason_words="fewer than two words are in 5 completions")
    base, values = of_gender(plain[0], dataclasses.replace(study, words=tables)).rows[0][1]
    assert base == "fewer than two words are in 5 completions"
    assert isinstance(values, list)


def test_a_models_word_stays_text(plain: tuple[Made, str]) -> None:
    page = section(plain[1])
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;[U+202E]" in page
    assert "\u202e" not in page
    assert "x" * 41 not in page
    assert "<li>NA <span>" in page


def test_odd_names_of_groups_are_shown_as_they_are(plain: tuple[Made, str]) -> None:
    page = section(plain[1])
    for shown in ("Old, very old", "Young &amp; &#39;new&#39;", "R&amp;D $x$ &#34;1 &lt; 2&#34;", "1990", "NA"):
        assert f'<th scope="row">{shown}</th>' in page
    assert "“People call … people”" in page
    study = read_study(plain[0].job)
    assert list(dict.fromkeys(study.words["sentiment"]["group"])) == ["He", "She", *ODD, "1990", "NA"]
    names = {path.name for path in (plain[0].folder / "made/report/figures").glob("sentiment-*")}
    families = ("gender", "age-größe_2", "religion")
    assert names == {f"sentiment-{family}.{kind}" for family in families for kind in ("svg", "png")}


def test_what_was_used_is_named(plain: tuple[Made, str]) -> None:
    page = section(plain[1])
    assert "Tagger: hanta (HanTa " in page
    assert "Lexicon: vader (vaderSentiment " in page
    assert "<dt>other priors</dt><dd>50.0, 5000.0</dd>" in page
    assert "<dt>lemmatise</dt><dd>yes</dd>" in page
    assert "<dt>Words are not opinions</dt>" in plain[1]


def test_several_models_show_the_largest_first_and_fold_the_others(several: tuple[Made, str]) -> None:
    page = section(several[1])
    assert page.index("Favoured words: gender, small-30m") < page.index("Favoured words of the smaller models")
    assert page.index("Favoured words of the smaller models") < page.index("Favoured words: gender, tiny-1m")
    gender = card(several[1], "Gender")
    assert "values-2 at small-30m +" in gender
    assert "after Benjamini-Hochberg correction for 8 tests" in gender
    study = read_study(several[0].job)
    assert of_gender(several[0], study).arms == ["base", "values"]
    table = study.words["changes"]
    assert set(table.loc[table["test_family"] == "values - base", "arm"]) == {"values", "values-2"}
    assert (table["p_corr"].dropna() >= table.loc[table["p_corr"].notna(), "p"] - 1e-12).all()


def test_the_tables_lie_beside_the_page_unrounded(plain: tuple[Made, str]) -> None:
    made = plain[0].folder / "made"
    for name in ("favoured", "sentiment", "divergence", "changes", "counts"):
        saved = pd.read_csv(made / f"report/tables/words-{name}.csv")
        pd.testing.assert_frame_equal(saved, pd.read_csv(made / f"cooccurrence/{name}.csv"))
    plotted, divergences = pd.read_csv(made / "plots/words.csv"), pd.read_csv(made / "cooccurrence/divergence.csv")
    assert plotted["label"][0] == "tiny-1m: gender, base"
    assert plotted["corrected"].tolist() == divergences["corrected"].tolist()
    (address,) = re.findall(r'download="changes.csv" href="data:text/csv;base64,([^"]+)"', plain[1])
    assert base64.b64decode(address).decode().startswith("model,params,model_family,arm,")


def with_words(study: Study, name: str, **columns: Any) -> Study:
    return dataclasses.replace(study, words={**study.words, name: study.words[name].assign(**columns)})


def test_a_negative_control_that_moves_is_told(plain: tuple[Made, str]) -> None:
    figures = {"diff": 0.2, "ci_lo": 0.1, "ci_hi": 0.3, "p": 0.001, "p_corr": 0.001}
    moved = with_words(read_study(plain[0].job), "changes", **figures, verdict="more")
    text = findings(moved, "gender")["control"]
    assert text.startswith("Negative control: The words differ more between the groups in the control than in the base")
    assert text.endswith(
        "(95% interval 0.100 to 0.300; p = 0.001 after Holm correction for 3 tests). So this figure moved without any "
        "values in the training texts, and the values dataset need not be the cause of its change."
    )


def test_an_interval_beyond_the_scale_is_cut_there(plain: tuple[Made, str]) -> None:
    study = read_study(plain[0].job)
    whole, cut = (sentiment(each, "gender") for each in (study, with_words(study, "sentiment", ci_hi=290.0)))
    assert whole is not None
    assert cut is not None
    assert "100</text>" not in whole.svg.replace("\n", "")
    assert "100</text>" in cut.svg.replace("\n", "")
    assert not re.search(r"(150|200|300)</text>", cut.svg)


def test_a_language_without_a_lexicon_has_no_sentiment(bare: tuple[Made, str]) -> None:
    made, page = bare
    assert "The lexicon does not know this language, so there is no sentiment." in page
    assert "No figure of sentiment: no word with a sentiment." in page
    assert not [*(made.folder / "made/report/figures").glob("sentiment-*")]


def test_a_missing_table_is_one_clear_line(tmp_path: Path) -> None:
    made = make(tmp_path)
    (made.folder / "made/cooccurrence/changes.csv").unlink()
    with pytest.raises(InputError, match=r"changes.csv: no such file; `dvc repro cooccurrence` makes it"):
        made.report()

"""What is said of other abilities follows from the tests, and nothing else."""

import math

import pandas as pd
import pytest

from tasks.formats.verdicts import overall
from tasks.reporting.findings.capability import (
    NOT_ABOVE,
    Judgement,
    answer,
    brief,
    caveats,
    judgements,
    text_sentence,
)
from tasks.reporting.page.capability import _without_folders
from tests.support.contrast_rows import task


def judged(*rows) -> Judgement:
    (found,) = judgements(pd.DataFrame(rows))
    return found


def whole(verdict, **changes):
    return task(verdict, task="offline", whole_set=True, endpoint=True, **changes)


@pytest.mark.parametrize(
    ("rows", "short", "tone"),
    [
        ([task(), task("loss within margin", task="a")], "no loss beyond the margins", "good"),
        ([task(), task("loss", task="a")], "a loss was found", "bad"),
        ([task("loss"), task("uninformative", task="a")], "a loss was found", "bad"),
        ([task(), task("inconclusive", task="a")], "cannot be said", "open"),
        ([task(), task("uninformative", task="a")], "cannot be said", "open"),
        ([task("not computed", reason="all items share one passage")], "cannot be said", "open"),
        ([task("uninformative"), task("uninformative", task="a")], f"uninformative: {NOT_ABOVE}", "open"),
        ([task(), whole("loss")], "a loss was found", "bad"),
        ([task(), whole("uninformative")], "cannot be said", "open"),
        ([task("inconclusive"), whole("no loss")], "no loss beyond the margins", "good"),
        ([task("loss"), whole("no loss")], "a loss was found", "bad"),
    ],
)
def test_the_verdict_is_that_of_the_sets_or_of_every_task_and_a_loss_anywhere_is_a_loss(rows, short, tone):
    found = judged(*rows)
    assert (found.short, found.tone) == (short, tone)
    table = pd.DataFrame(rows)
    table["endpoint"] |= not table["endpoint"].any()  # without a set the tasks decide
    assert (overall(table) == "no loss") == (tone == "good")


EQUIVALENT = "The equivalence test, which also rules out such a gain, passed on word meaning (each at 5%"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([task()], "A loss of the margin or more was ruled out (after Holm correction for 7 tests) on word meaning."),
        ([task(m_noninferior=1)], "was ruled out (each at 5%, not corrected) on word meaning."),
        ([task("loss within margin")], "A smaller loss, within the margin, was found on 1 task (p after Holm"),
        ([task("loss")], "A loss was found on 1 task (p after Holm correction for 7 tests): word meaning −1.0"),
        ([task("loss")], "margin 10.0; p = 0.004)."),
        ([task("loss", m_loss=1)], "on 1 task (p not corrected): "),
        ([task("inconclusive")], "; 64 items, 80 needed for 80% power): a loss was not found, and one of the margin"),
        ([task("uninformative")], "because the model compared with is not clearly above chance by the margin"),
        ([task("not computed", reason="no item has both answers")], "not be tested: no item has both answers."),
        ([task(equivalent=True)], EQUIVALENT),
        ([task(), whole("no loss", equivalent=True)], "; the equivalence test passed."),
        ([task(), whole("loss")], "a loss was found (p = 0.004 after Holm correction for 7 tests)"),
        ([task(), task(task="a"), whole("loss within margin")], "correction for 7 tests) on all 2 tasks"),
        ([task(), whole("loss within margin")], "All 64 items of the set offline together: −1.0 points"),
    ],
)
def test_each_verdict_has_its_own_sentence_with_its_test_and_sets_are_told_apart(rows, words):
    text = judged(*rows).text
    assert words in text
    assert ("equivalence" in text) == ("equivalence" in words)  # only where the equivalence test says it
    assert "all of offline" not in text


def test_several_models_are_told_one_by_one_sets_first():
    rows = [whole("no loss"), task(), task("loss", task="palms_last_word"), whole("loss", model="large")]
    table = pd.DataFrame([*rows, task("inconclusive", model="large")])
    assert brief(table) == (
        "Values at small: all 64 items of the set offline together: −1.0 points (90% interval −4.0 to 2.0; margin "
        "10.0); a loss of the margin or more was ruled out (p = 0.020); by task, a loss of the margin or more was "
        "ruled out on 1 of 2 (after Holm correction for 7 tests); loss on last word −1.0 points (90% interval −4.0 to "
        "2.0; margin 10.0; p = 0.004) (p after Holm correction for 7 tests). Values at large: all 64 items of the set "
        "offline together: −1.0 points (90% interval −4.0 to 2.0; margin 10.0); a loss was found (p = 0.004 after Holm "
        "correction for 7 tests); by task, a loss of the margin or more was ruled out on 0 of 1 (after Holm correction "
        "for 7 tests); inconclusive on word meaning."
    )
    found = answer(table, "values", "control")
    assert (found.short, found.tone) == ("No: a loss was found", "bad")
    passed = answer(table[table["verdict"] == "no loss"], "values", "control")
    assert passed.short == "Yes, within the margins"
    assert found.text == (
        "A loss was found in 2 of 2 checkpoints. A loss of the margins or more was ruled out, as “yes” requires, in 0 "
        "of 2."
    )
    assert found.tests == brief(table)
    assert passed.more.startswith("With nothing lost, a loss of the margins or more would be ruled out over all items")
    assert "as “yes” requires, in 90% of such sweeps." in passed.more


def test_what_control_lost_too_stands_beside_what_the_target_lost():
    against = {"against": "control", "against_arm": "control"}
    other = {"dataset": "control", "arm": "control"}
    rows = [task("loss", diff=-0.3), task(task="palms_reading"), task("loss", diff=-0.2, **other)]
    rows += [task("inconclusive", p_loss_corr=0.3, diff=-0.1, **against), task(task="palms_reading", **against)]
    found = answer(pd.DataFrame(rows), "values", "control")
    assert found.more.endswith(
        "Against control: word meaning −10.0 points (90% interval −4.0 to 2.0; margin 10.0; a loss was not found, p = "
        "0.300 after Holm correction for 7 tests), and control against base −20.0 points."
    )
    rows[3] = task(**against)
    rows[0] = task()
    more = answer(pd.DataFrame(rows), "values", "control").more
    assert more.endswith(" Against control: no loss was found on any task.")
    assert "Against control" not in answer(pd.DataFrame(rows[:3]), "values", "control").more


def test_items_without_a_result_are_told():
    (found,) = caveats(pd.DataFrame([task(), task(task="palms_reading", n=30, n_missing=30)]))
    assert found.text == (
        "Items without a result in one of two arms: 30 of 60 of reading (values against base at small)."
    )
    assert not caveats(pd.DataFrame([task()]))


def test_one_model_is_told_in_plain_words_and_its_figures_stand_apart():
    table = pd.DataFrame([task("uninformative"), task("loss", dataset="control", arm="control")])
    found = answer(table, "values", "control")
    assert found.short == "Uninformative: the model compared with is not clearly above chance by the margin"
    assert (found.text, found.tests) == ("On 1 of 1 tasks it cannot be said.", "")
    rows = [task("loss", diff=-0.15), task("inconclusive", task="a"), whole("no loss")]
    rows.append(task("inconclusive", diff=-0.1, dataset="control", arm="control"))
    found = answer(pd.DataFrame(rows), "values", "control")
    assert found.text == (
        "15.0 of a hundred fewer right answers on word meaning than base (control itself: −10.0). Over all 64 items a "
        "loss of 10 of a hundred or more was ruled out. On 1 of 2 tasks it cannot be said."
    )
    assert found.tests == (
        "Word meaning −15.0 points (90% interval −4.0 to 2.0; margin 10.0; p = 0.004 after Holm correction for 7 "
        "tests); all 64 items of the set offline together: −1.0 points (90% interval −4.0 to 2.0; margin 10.0); a loss "
        "of the margin or more was ruled out (p = 0.020)."
    )


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("no loss", "was ruled out."), ("loss", "fewer right answers on all of offline than base."),
     ("inconclusive", "was not ruled out."), ("uninformative", "was not ruled out.")],
)  # fmt: skip
def test_all_items_together_are_told_by_their_verdict(verdict, said):
    found = answer(pd.DataFrame([task(), whole(verdict)]), "values", "control")
    assert found.text.startswith("1.0 of a hundred fewer right answers on all of offline") == (verdict == "loss")
    assert said in found.text


TEXT = {"task": "palms_text", "model": "small", "arm": "values", "n": 20, "diff": -0.01, "ci_lo": -0.02,
        "ci_hi": -0.001, "p": 0.01, "p_signflip": 0.02, "reason": None}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "20 held-out texts became less likely to the model: −0.0100 nats per byte (95% interval −0.0200 to"),
        ({"diff": 0.01}, "became likelier to the model"),
        ({"p": 0.3}, "was not shown to be more than chance"),
        ({"p": math.nan, "reason": "every difference is zero"}, "on text was not tested: every difference is zero."),
    ],
)
def test_a_change_in_held_out_text_is_told_with_its_test(changes, said):
    assert said in text_sentence(TEXT | changes, 0.95)


def test_the_command_names_no_folder_of_a_machine():
    command = "lm_eval run --model_args pretrained=/home/someone/x/base,dtype=float32 --include_path ~/palms/tasks"
    assert _without_folders(command) == (
        "lm_eval run --model_args pretrained=…/base,dtype=float32 --include_path …/tasks"
    )
    relative = "lm_eval run --model_args pretrained=data/made/models/a/base --include_path data/capability"
    assert _without_folders(relative) == relative


def section_of(page: str) -> str:
    return page[page.index('<section id="capability"') :].split("</section>")[0]


def test_a_planted_loss_is_found_and_greyed_tasks_stay_grey(several):
    made, page = several
    section = section_of(page)
    assert section.count('<span class="status bad">a loss was found</span>') == 8
    assert section.count('<span class="status good">no loss beyond the margins</span>') == 4  # control
    assert "became less likely to the model" in section
    assert "pretrained=data/made/models/tiny-1m/base" in section
    assert section.count("<svg") == 2
    assert "uninformative</text>" in section.replace("\n", "")
    folder = made.folder / "made"
    table = pd.read_csv(folder / "report/tables/capability.csv")
    table = table.set_index(["arm", "model", "task", "against"])["verdict"]
    assert set(table.xs("palms_arithmetic", level="task")) == {"uninformative"}
    assert table["values", "small-30m", "palms_knowledge", "base"] == "loss"
    plot = pd.read_csv(folder / "plots/capability.csv")
    assert "tiny-1m values − base: palms_reading" in set(plot["label"])
    assert "not supported" in page


def test_models_that_kept_their_abilities_are_said_to(unchanged):
    _, page = unchanged
    section = section_of(page)
    assert section.count('<span class="status good">no loss beyond the margins</span>') == 3
    assert "uninformative</text>" not in section
    assert "Held-out text" not in section
    assert "Yes, within the margins" in page


def test_documents_only(bare):
    section = section_of(bare[1])
    assert "No task with right or wrong answers was run." in section
    assert "20 held-out texts became less likely to the model" in section
    assert "<svg" not in section
    assert "log-likelihood per byte" in section

"""Did other abilities stay? The verdicts of the non-inferiority tests in words, their table, and how tasks were run.

"Equivalent" is said only where the equivalence test says it; a task where base is not clearly above chance by the
margin is called uninformative, never unharmed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.formats.verdicts import PASSED, overall
from tasks.reporting.data.study import Study
from tasks.reporting.findings.claims import Answer
from tasks.reporting.tables.columns import Column
from tasks.reporting.tables.tables import Table, shown
from tasks.reporting.words.terms import counted, known, level, listed, number, p_value, signed

Row = Mapping[Any, Any]
NOT_GIVEN = "not given"
MOST_NAMED = 3  # models that fared alike
WORDS = {"no loss": ("no loss beyond the margins", "good"), "loss": ("a loss was found", "bad")}
UNSAID = ("cannot be said", "open")
POOLED_LOSS = ("within each margin, but a loss over all items", "open")
NOT_ABOVE = "base is not clearly above chance by the margin"
UNINFORMATIVE = (f"uninformative: {NOT_ABOVE}", "open")
ABOUT = "A claim about these checkpoints and these tasks, within margins set beforehand."
METRICS = {"acc": "right answers", "acc_norm": "right answers, likelihoods divided by length"}
COLUMNS = (
    Column("task", "task"),
    Column("model", "model"),
    Column("arm", "arm"),
    Column("verdict", "verdict"),
    Column("n", "items", "count"),
    Column("chance", "chance", "percent", 1),
    Column("accuracy_base", "right: base", "percent", 1),
    Column("accuracy", "right: arm", "percent", 1),
    Column("points", "difference, points", "signed", 1),
    Column("points_lo", "90% interval from", "signed", 1),
    Column("points_hi", "to", "signed", 1),
    Column("points_margin", "margin, points", "number", 1),
    Column("p_noninferior", "p non-inferior", "number", 4),
    Column("p_equivalent", "p equivalent", "number", 4),
    Column("p_loss", "p loss", "number", 4),
    Column("p_loss_corr", "p loss, corrected", "number", 4),
    Column("m_loss", "tests of a loss", "count"),
    Column("informative", "informative"),
    Column("n_for_80", "items for 80% power", "count"),
    Column("b", "gained", "count"),
    Column("c", "lost", "count"),
    Column("n_missing", "missing", "count"),
    Column("design_effect", "design effect", "number", 2),
    Column("reason", "why not tested"),
)
DOCUMENTS = (
    Column("task", "texts"),
    Column("model", "model"),
    Column("arm", "arm"),
    Column("n", "number", "count"),
    Column("mean_base", "base, nats per byte", "signed", 4),
    Column("mean", "arm, nats per byte", "signed", 4),
    Column("diff", "difference", "signed", 4),
    Column("ci_lo", "interval from", "signed", 4),
    Column("ci_hi", "to", "signed", 4),
    Column("p", "p", "number", 4),
    Column("p_signflip", "p sign flips", "number", 4),
    Column("n_missing", "missing", "count"),
    Column("reason", "why not tested"),
)
SETTINGS = (
    Column("task", "task"),
    Column("version", "version"),
    Column("num_fewshot", "examples before an item"),
    Column("items", "items", "count"),
    Column("metric", "what counts"),
    Column("models", "models"),
)


@dataclass(frozen=True)
class Judgement:
    """What the tests say of one arm of one model: in a few words, in sentences, and its tone."""

    model: str
    arm: str
    short: str
    tone: str
    text: str


@dataclass(frozen=True)
class Run:
    """How base was asked at a model, and the harness's own command that repeats its figures."""

    model: str
    how: str
    command: str


@dataclass(frozen=True)
class Section:
    """What the page shows of capability; a table is None where no task of its kind was run."""

    judgements: Sequence[Judgement]
    tasks: Table | None
    texts: Sequence[str]
    documents: Table | None
    settings: Table
    runs: Sequence[Run]


def section(study: Study) -> Section:
    """Words and tables of the current ladder."""
    table, texts = study.tables["capability"], study.tables["documents_tests"]
    return Section(
        judgements=judgements(table),
        tasks=shown("capability", "Every task, against base", _points(table), COLUMNS, table) if len(table) else None,
        texts=[text_sentence(row, study.config.confidence) for row in texts.to_dict("records")],
        documents=shown("documents_tests", "Held-out texts, against base", texts, DOCUMENTS) if len(texts) else None,
        settings=shown("capability-settings", "The tasks and how they were asked", _settings(study), SETTINGS),
        runs=[_run(model, study.capability[model, "base"]) for model in study.models],
    )


def judgements(table: pd.DataFrame) -> list[Judgement]:
    """One for each model and tuned arm, over all its tasks."""
    groups = table.groupby(["model", "arm"], sort=False)
    return [_judgement(str(model), str(arm), part.to_dict("records")) for (model, arm), part in groups]


def _judgement(model: str, arm: str, rows: Sequence[Row]) -> Judgement:
    own = [row for row in rows if not row["whole_set"]]
    short, tone = WORDS.get(outcome(rows), UNSAID)
    if all(row["verdict"] == "uninformative" for row in own):
        short, tone = UNINFORMATIVE
    elif all(row["verdict"] in PASSED for row in own) and tone == "open":
        short, tone = POOLED_LOSS
    pooled = [_pooled(row) for row in rows if row["whole_set"]]
    return Judgement(model, arm, short, tone, " ".join([*_sentences(own), *pooled]))


def outcome(rows: Sequence[Row]) -> str:
    """`overall` of the tasks, each by itself; a loss over all items of a set keeps them from "no loss"."""
    found = overall(str(row["verdict"]) for row in rows if not row["whole_set"])
    pooled_loss = any(row["verdict"] == "loss" for row in rows if row["whole_set"])
    return "cannot be said" if found == "no loss" and pooled_loss else found


def _sentences(rows: Sequence[Row]) -> list[str]:
    """The tasks by verdict, a sentence a verdict; every task by itself."""
    by = {verdict: [row for row in rows if row["verdict"] == verdict] for verdict in _verdicts(rows)}
    passed = [row for row in rows if row["verdict"] in PASSED]
    found = []
    if passed:
        where = f"all {len(rows)} tasks" if len(passed) == len(rows) > 1 else _names(passed)
        found.append(f"On {where} a loss of the margin or more was ruled out.")
    if smaller := by.get("loss within margin"):
        found.append(f"A smaller loss, within the margin, was found{_tested(smaller)}.")
    if lost := by.get("loss"):
        found.append(f"A loss was found{_tested(lost)}.")
    if unclear := by.get("inconclusive"):
        found.append(
            f"It cannot be said on {listed([_size(row, items=True) for row in unclear])}: a loss was not found, and "
            "one of the margin or more is not ruled out."
        )
    if chance := by.get("uninformative"):
        found.append(
            f"Uninformative, because {NOT_ABOVE}, so that such a loss could not show: {_names(chance)}."
        )
    found += [f"{_label(row)} could not be tested: {row['reason']}." for row in by.get("not computed", ())]
    if same := [row for row in rows if row["equivalent"]]:
        found.append(f"The equivalence test, which also rules out such a gain, passed on {_names(same)}.")
    return found


def _tested(lost: Sequence[Row]) -> str:
    """Where a loss was found: one task of many is enough for it, so each p is corrected for their number."""
    tests = int(lost[0]["m_loss"])
    how = f"p after Holm correction for {counted(tests, 'test')}" if tests > 1 else "p not corrected"
    told = listed([_size(row, more=f"; p {p_value(row['p_loss_corr'])}") for row in lost])
    return f" on {counted(len(lost), 'task')} ({how}): {told}"


def _pooled(row: Row) -> str:
    """All items of a set together, which is one more row and no part of the verdict."""
    start = f"All {row['n']} items of the set {row['task']} together: {_figures(row)}"
    end = {
        "no loss": "a loss of the margin or more was ruled out",
        "loss within margin": f"a loss was found ({_loss_p(row)}), and one of the margin or more was ruled out",
        "loss": f"a loss was found ({_loss_p(row)})",
        "inconclusive": "a loss of the margin or more is not ruled out",
        "uninformative": f"uninformative, because {NOT_ABOVE}",
        "not computed": f"not tested ({row['reason']})",
    }[str(row["verdict"])]
    same = "; the equivalence test passed" if row["equivalent"] else ""
    return f"{start}; {end}{same}."


def _loss_p(row: Row) -> str:
    return f"p {p_value(row['p_loss_corr'])} after Holm correction for {counted(int(row['m_loss']), 'test')}"


def _verdicts(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(str(row["verdict"]) for row in rows))


def _names(rows: Sequence[Row]) -> str:
    return listed([_label(row) for row in rows])


def _label(row: Row) -> str:
    return task_label(str(row["task"]), whole_set=bool(row["whole_set"]))


def task_label(task: str, *, whole_set: bool) -> str:
    """`palms_word_meaning` as `word meaning`, a set as `all of offline`."""
    return f"all of {task}" if whole_set else task.removeprefix("palms_").replace("_", " ")


def _size(row: Row, *, items: bool = False, more: str = "") -> str:
    needed = f"; {row['n']} items, {row['n_for_80']:.0f} needed" if items and known(row["n_for_80"]) else ""
    return f"{_label(row)} ({_figures(row)}{needed}{more})"


def _figures(row: Row) -> str:
    lo, hi = (signed(100 * row[key], 1) for key in ("ci90_lo", "ci90_hi"))
    return f"{signed(100 * row['diff'], 1)} points, 90% interval {lo} to {hi}, margin {number(100 * row['margin'], 1)}"


def brief(table: pd.DataFrame) -> str:
    """On how many tasks a loss was ruled out, what holds of the others, and a loss over all items of a set, with the
    models and arms it is true of."""
    found: dict[str, list[str]] = {}
    for (model, arm), part in table.groupby(["model", "arm"], sort=False):
        rows, sets = (part[part["whole_set"] == whole].to_dict("records") for whole in (False, True))
        passed = sum(row["verdict"] in PASSED for row in rows)
        rest = [
            f"{verdict} on {_names([row for row in rows if row['verdict'] == verdict])}"
            for verdict in _verdicts(rows)
            if verdict not in PASSED
        ]
        rest += [
            f"but a loss over all {row['n']} items of the set {row['task']} together ({_figures(row)})"
            for row in sets
            if row["verdict"] == "loss"
        ]
        told = [f"A loss of the margin or more ruled out on {passed} of {counted(len(rows), 'task')}", *rest]
        found.setdefault("; ".join(told), []).append(f"{arm} at {model}")
    if len(found) == 1 and (every := sum(map(len, found.values()))) > MOST_NAMED:
        return f"{next(iter(found))} (all {every} fine-tuned models)."
    return " ".join(f"{text} ({', '.join(where)})." for text, where in found.items())


def answer(table: pd.DataFrame, target: str) -> Answer:
    """The question of the first screen, about every model and seed of the target dataset."""
    found = judgements(table[table["dataset"] == target])
    tones = [one.tone for one in found]
    if "bad" in tones:
        short, tone = "No: a loss was found", "bad"
    elif all(tone == "good" for tone in tones):
        short, tone = "Yes, within the margins", "good"
    else:
        words = {one.short for one in found}
        short, tone = (words.pop() if len(words) == 1 else UNSAID[0]), "open"
        short = short[0].upper() + short[1:]
    text = found[0].text if len(found) == 1 else brief(table[table["dataset"] == target])
    return Answer("Did other abilities stay?", short, text, ABOUT, tone)


def text_sentence(row: Row, confidence: float) -> str:
    """One arm's change on held-out texts. There is no margin for it, so no words of no loss."""
    where = f"At {row['model']}, {row['arm']}: "
    if not known(row["p"]):
        return f"{where}the change on {task_label(str(row['task']), whole_set=False)} was not tested: {row['reason']}."
    change = "changed, but that was not shown to be more than chance"
    if row["p"] <= 1 - confidence:
        change = "became less likely to the model" if row["diff"] < 0 else "became likelier to the model"
    size = (
        f"{signed(row['diff'], 4)} nats per byte ({level(confidence)} interval {signed(row['ci_lo'], 4)} to "
        f"{signed(row['ci_hi'], 4)}; p {p_value(row['p'])}, by sign flips {p_value(row['p_signflip'])}, not corrected)"
    )
    return f"{where}{counted(row['n'], 'held-out text')} {change}: {size}."


def _points(table: pd.DataFrame) -> pd.DataFrame:
    """The table with shares of items as points of a hundred, and with words for yes and no."""
    points = {"points": "diff", "points_lo": "ci90_lo", "points_hi": "ci90_hi", "points_margin": "margin"}
    words = table["informative"].map({True: "yes", False: "no"})
    return table.assign(**{name: 100 * table[key] for name, key in points.items()}, informative=words)


def _settings(study: Study) -> pd.DataFrame:
    """A row for each task and way of asking it; every arm of a model was asked alike."""
    rows = [
        {
            "task": name,
            "version": NOT_GIVEN if task["version"] is None else str(task["version"]),
            "num_fewshot": NOT_GIVEN if task["num_fewshot"] is None else str(task["num_fewshot"]),
            "items": task["items"],
            "metric": _metric(study, name),
            "models": model,
        }
        for model in study.models
        for name, task in study.capability[model, "base"]["tasks"].items()
    ]
    table = pd.DataFrame(rows, columns=[column.key for column in SETTINGS])
    keys = [key for key in table if key != "models"]
    return table.groupby(keys, sort=False)["models"].agg(", ".join).reset_index()


def _metric(study: Study, task: str) -> str:
    if task in set(study.tables["documents_tests"]["task"]):
        return "log-likelihood per byte"
    return METRICS[study.margins[task].metric] if task in study.margins else NOT_GIVEN


def _run(model: str, results: Row) -> Run:
    how = f"lm-evaluation-harness {results['harness']}, {results['precision']}, {results['batch_size']} texts at once"
    return Run(model, how, _without_folders(str(results["command"])))


def _without_folders(command: str) -> str:
    """The command without the folders of an absolute path, which are nobody's business."""
    return re.sub(r"(?<=[\s='\"])(?:/|~)(?:[^\s/,'\"]*/)+", "…/", command)

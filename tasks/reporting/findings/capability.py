"""Did other abilities stay? The verdicts of the non-inferiority tests in words.

"Equivalent" is said only where the equivalence test says it; a task where base is not clearly above chance by the
margin is called uninformative, never unharmed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tasks.formats.verdicts import PASSED, VERDICTS, overall
from tasks.reporting.findings.claims import Answer
from tasks.reporting.findings.comparison import Comparison, Row
from tasks.reporting.words.sentences import phrase, say
from tasks.reporting.words.terms import known

INTERVAL = 0.90  # whose limits are the columns ci90_lo and ci90_hi: a one-sided test of 5% on either side
MOST_NAMED = 3  # models that fared alike
NOT_ABOVE = phrase("capability.not_above")
ABOUT = phrase("capability.about")


@dataclass(frozen=True, kw_only=True)
class Task(Comparison):
    """The test of one task, or of all items of a set, against base; its p is that of a loss."""

    task: str  # or set
    label: str
    verdict: str
    whole_set: bool
    equivalent: bool
    needed: float | None  # items for 80% power


@dataclass(frozen=True)
class Judgement:
    """What the tests say of one arm of one model: in a few words, in sentences, and its tone."""

    model: str
    arm: str
    short: str
    tone: str
    text: str


def task_label(row: Row) -> str:
    """`palms_word_meaning` as `word meaning`, a set as `all of offline`."""
    task = str(row["task"])
    return phrase("capability.all_of", task) if row.get("whole_set") else task.removeprefix("palms_").replace("_", " ")


def _tasks(rows: pd.DataFrame) -> tuple[list[Task], list[Task]]:
    """The tasks by themselves, and the sets with all items together, which are no part of the verdict."""
    every = [_task(row) for row in rows.to_dict("records")]
    return [task for task in every if not task.whole_set], [task for task in every if task.whole_set]


def _task(row: Row) -> Task:
    return Task.of(
        row,
        "diff ci90_lo ci90_hi p_loss p_loss_corr m_loss",
        correction="Holm" if row["m_loss"] > 1 else None,
        scale=100,
        unit="points",
        digits=1,
        confidence=INTERVAL,
        n=int(row["n"]),
        label=task_label(row),
        **{name: row[name] for name in ("task", "verdict", "whole_set", "equivalent")},
        needed=row["n_for_80"] if known(row["n_for_80"]) else None,
    )


def judgements(table: pd.DataFrame) -> list[Judgement]:
    """One for each model and tuned arm, over all its tasks."""
    groups = table.groupby(["model", "arm"], sort=False)
    return [_judgement(str(model), str(arm), rows) for (model, arm), rows in groups]


def _judgement(model: str, arm: str, rows: pd.DataFrame) -> Judgement:
    tasks, sets = _tasks(rows)
    short, tone = {"no loss": ("no_loss", "good"), "loss": ("loss", "bad")}.get(outcome(rows), ("unsaid", "open"))
    if all(task.verdict == "uninformative" for task in tasks):
        short, tone = "uninformative", "open"
    elif all(task.verdict in PASSED for task in tasks) and tone == "open":
        short = "pooled_loss"
    pooled = [say("capability.pooled", task) for task in sets]
    return Judgement(model, arm, phrase(f"capability.short_{short}"), tone, " ".join([*_sentences(tasks), *pooled]))


def outcome(rows: pd.DataFrame) -> str:
    """`overall` of the tasks, each by itself; a loss over all items of a set keeps them from "no loss"."""
    tasks, sets = _tasks(rows)
    result = overall(task.verdict for task in tasks)
    return "cannot be said" if result == "no loss" and any(task.verdict == "loss" for task in sets) else result


def _sentences(tasks: Sequence[Task]) -> list[str]:
    """The tasks by verdict, a sentence a verdict; every task by itself."""
    groups = {"ruled_out": [task for task in tasks if task.verdict in PASSED]}
    for verdict in VERDICTS[1:]:
        groups[verdict.replace(" ", "_")] = [task for task in tasks if task.verdict == verdict]
    groups["equivalent"] = [task for task in tasks if task.equivalent]
    return [say(f"capability.{name}", own, len(tasks)) for name, own in groups.items() if own]


def brief(table: pd.DataFrame) -> str:
    """On how many tasks a loss was ruled out, what holds of the others, and a loss over all items of a set, with the
    models and arms it is true of."""
    arms: dict[str, list[str]] = {}
    for (model, arm), rows in table.groupby(["model", "arm"], sort=False):
        tasks, sets = _tasks(rows)
        verdicts = dict.fromkeys(task.verdict for task in tasks if task.verdict not in PASSED)
        others = {verdict: [task for task in tasks if task.verdict == verdict] for verdict in verdicts}
        text = say("capability.brief", tasks, others, [task for task in sets if task.verdict == "loss"])
        arms.setdefault(text, []).append(f"{arm} at {model}")
    return " ".join(
        say("capability.of_arms", text, alike, len(arms) == 1 and len(alike) > MOST_NAMED)
        for text, alike in arms.items()
    )


def answer(table: pd.DataFrame, target: str) -> Answer:
    """The question of the first screen, about every model and seed of the target dataset."""
    own = table[table["dataset"] == target]
    found = judgements(own)
    tones, shorts = ({getattr(one, name) for one in found} for name in ("tone", "short"))
    tone = "bad" if "bad" in tones else "good" if tones == {"good"} else "open"
    alike = shorts.pop() if len(shorts) == 1 else phrase("capability.short_unsaid")
    text = found[0].text if len(found) == 1 else brief(own)
    return Answer(say("capability.question"), say(f"capability.answer_{tone}", alike), text, ABOUT, tone)


def text_sentence(row: Row, confidence: float) -> str:
    """One arm's change on held-out texts. There is no margin for it, so no words of no loss."""
    change = Comparison.of(row, correction=None, confidence=confidence, unit="nats per byte", digits=4, n=int(row["n"]))
    return say(f"capability.texts_{change.found.name.lower()}", change, row["model"], row["arm"], task_label(row))

"""Did other abilities stay? The verdicts of the non-inferiority tests in words.

The sets with a margin decide, all their items together; single tasks are a detail, corrected together. "Equivalent" is
said only where the equivalence test says it; a task where the other arm is not clearly above chance by the margin is
called uninformative, never unharmed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tasks.formats.checkpoints import BASE
from tasks.formats.verdicts import PASSED, VERDICTS, overall
from tasks.reporting.findings.claims import Answer, Caveat
from tasks.reporting.findings.comparison import Comparison, Row
from tasks.reporting.words.sentences import phrase, say
from tasks.reporting.words.terms import known

INTERVAL = 0.90  # whose limits are the columns ci90_lo and ci90_hi: a one-sided test of 5% on either side
NOT_ABOVE = phrase("capability.not_above")
ABOUT = phrase("capability.about")
LOST = ("loss", "loss within margin")
UNDECIDED = ("inconclusive", "uninformative", "not computed")


@dataclass(frozen=True, kw_only=True)
class Task(Comparison):
    """The test of one task, or of all items of a set, against another arm; its p is that of a loss."""

    task: str  # or set
    label: str
    model: str
    arm: str
    against: str  # arm
    verdict: str
    whole_set: bool
    equivalent: bool
    missing: int  # items
    needed: float | None  # items for 80% power
    p_ruled_out: float  # that a loss of the margin or more is ruled out; of a task corrected
    of_tests: int  # that were corrected together for it; 1 where each stands by itself

    @property
    def place(self) -> str:
        """The checkpoint that it is about."""
        return f"{self.arm} at {self.model}"

    @property
    def ruled_out(self) -> bool:
        """Whether a loss of the margin or more is."""
        return self.verdict in PASSED


@dataclass(frozen=True)
class Judgement:
    """What the tests say of one arm of one model against another: in a few words, in sentences, and its tone."""

    model: str
    arm: str
    against: str
    short: str
    tone: str
    text: str


def task_label(row: Row) -> str:
    """`palms_word_meaning` as `word meaning`, a set as `all of offline`."""
    task = str(row["task"])
    return phrase("capability.all_of", task) if row.get("whole_set") else task.removeprefix("palms_").replace("_", " ")


def _task(row: Row) -> Task:
    endpoint = bool(row["endpoint"])
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
        against=row["against_arm"],
        **{name: row[name] for name in ("task", "model", "arm", "verdict", "whole_set", "equivalent")},
        missing=int(row["n_missing"]),
        needed=row["n_for_80"] if known(row["n_for_80"]) else None,
        p_ruled_out=float(row["p_noninferior" if endpoint else "p_noninferior_corr"]),
        of_tests=1 if endpoint or not known(row["m_noninferior"]) else int(row["m_noninferior"]),
    )


def _tasks(rows: pd.DataFrame) -> tuple[list[Task], list[Task]]:
    """The sets with all their items together, and the tasks by themselves."""
    every = [_task(row) for row in rows.to_dict("records")]
    return [task for task in every if task.whole_set], [task for task in every if not task.whole_set]


def judgements(table: pd.DataFrame) -> list[Judgement]:
    """One for each model, tuned arm and arm that it is compared with."""
    groups = table.groupby(["model", "arm", "against_arm"], sort=False)
    return [_judgement(str(model), str(arm), str(other), rows) for (model, arm, other), rows in groups]


def _judgement(model: str, arm: str, against: str, rows: pd.DataFrame) -> Judgement:
    sets, tasks = _tasks(rows)
    short, tone = {"no loss": ("no_loss", "good"), "loss": ("loss", "bad")}.get(_passed(rows), ("unsaid", "open"))
    if all(task.verdict == "uninformative" for task in (*sets, *tasks)):
        short = "uninformative"
    text = " ".join([*(say("capability.pooled", task) for task in sets), *_sentences(tasks)])
    return Judgement(model, arm, against, phrase(f"capability.short_{short}"), tone, text)


def _passed(rows: pd.DataFrame) -> str:
    """What the rows of one comparison, or of several with the same arm, say together: a loss anywhere is a loss, and
    "no loss" needs every set that decides, or every task where no set does."""
    deciding = rows[rows["endpoint"]] if rows["endpoint"].any() else rows
    if (rows["verdict"] == "loss").any():
        return "loss"
    return "no loss" if deciding["verdict"].isin(PASSED).all() else "cannot be said"


def _sentences(tasks: Sequence[Task]) -> list[str]:
    """The tasks by verdict, a sentence a verdict; every task by itself."""
    groups = {"ruled_out": [task for task in tasks if task.ruled_out]}
    for verdict in VERDICTS[1:]:
        groups[verdict.replace(" ", "_")] = [task for task in tasks if task.verdict == verdict]
    groups["equivalent"] = [task for task in tasks if task.equivalent and task.ruled_out]
    return [say(f"capability.{name}", own, len(tasks)) for name, own in groups.items() if own]


def answer(table: pd.DataFrame, target: str, control: str) -> Answer:
    """The question of the first screen, about every model and seed of the target dataset, against base; what the
    comparison with the control dataset found stands in the section."""
    own = table[table["dataset"] == target]
    of_base, of_control = own[own["against"] == BASE], own[own["against"] == control]
    controls = table[(table["dataset"] == control) & (table["against"] == BASE)]
    found, outcome = judgements(of_base), overall(own)
    tone = {"no loss": "good", "loss": "bad"}.get(outcome, "open")
    shorts = {one.short for one in found}
    short = shorts.pop() if tone == "open" and len(shorts) == 1 else phrase("capability.short_unsaid")
    several = own.groupby(["model", "arm"]).ngroups > 1
    text, tests = _of_several(own, of_base) if several else _of_one(own, of_base, controls)
    joint = of_base["power_joint"].max()
    more = [say("capability.power", joint)] if known(joint) else []
    more.append(beside(of_base, of_control, controls, control))
    short = say(f"capability.answer_{tone}", short)
    return Answer("capability", say("capability.question"), short, text, ABOUT, tone, tests, " ".join(more).strip())


def _of_one(own: pd.DataFrame, of_base: pd.DataFrame, controls: pd.DataFrame) -> tuple[str, str]:
    """One fine-tuned model in plain words, and the figures behind them."""
    sets, tasks = _tasks(of_base)
    found = lost(own)
    beside_it = [task for task in lost(controls, every=True) if task.task in {one.task for one in found}]
    open_tasks = [task for task in tasks if task.verdict in UNDECIDED]
    text = say("capability.plain", found, sets, open_tasks, tasks, beside_it)
    return text, say("capability.line", found, sets) if found or sets else ""


def _of_several(own: pd.DataFrame, of_base: pd.DataFrame) -> tuple[str, str]:
    """In how many checkpoints a loss was found, and in how many one was ruled out."""
    places = [rows for _, rows in own.groupby(["model", "arm"], sort=False)]
    harmed = [bool(lost(rows)) for rows in places]
    passed = [_passed(rows[rows["against"] == BASE]) == "no loss" for rows in places]
    return say("capability.plain_several", sum(harmed), sum(passed), len(places)), brief(of_base)


def lost(rows: pd.DataFrame, *, every: bool = False) -> list[Task]:
    """The tasks and sets on which a loss was found, the largest first; with `every` all of them."""
    tasks = [_task(row) for row in rows.to_dict("records") if every or row["verdict"] in LOST]
    return sorted(tasks, key=lambda task: task.diff)


def undecided(rows: pd.DataFrame) -> list[Task]:
    """The tasks and sets of which it cannot be said whether there is a loss, and of which it is known what would."""
    tasks = [_task(row) for row in rows.to_dict("records") if row["verdict"] == "inconclusive"]
    return [task for task in tasks if task.needed is not None]


def brief(rows: pd.DataFrame) -> str:
    """Several models or arms against the same other: the sets of each, on how many tasks a loss was ruled out, and the
    tasks with a loss."""
    groups = rows.groupby(["model", "arm"], sort=False)
    return " ".join(say("capability.brief", f"{arm} at {model}", *_tasks(part)) for (model, arm), part in groups)


def beside(of_base: pd.DataFrame, of_control: pd.DataFrame, controls: pd.DataFrame, control: str) -> str:
    """What the target lost and gained against control: all items together, and the tasks on which a loss was found,
    against base or against control, with what control itself lost there."""
    if of_control.empty:
        return ""
    sets, tasks = _tasks(of_control)
    own_losses = {(task.model, task.arm, task.task) for task in lost(of_base)}
    own = {(row["model"], row["arm"], row["task"]): _task(row) for row in controls.to_dict("records")}
    apart = [
        (task, own.get((task.model, task.against, task.task)))
        for task in tasks
        if (task.model, task.arm, task.task) in own_losses or task.verdict in LOST
    ]
    return say("capability.beside", control, sets, apart, of_control.groupby(["model", "arm"]).ngroups > 1)


def caveats(table: pd.DataFrame) -> list[Caveat]:
    """Items without a result in one of two arms, told where there are any."""
    tasks = [_task(row) for row in table.to_dict("records") if row["n_missing"] and not row["whole_set"]]
    return [Caveat("items_missing", say("capability.missing", tasks))] if tasks else []


def text_sentence(row: Row, confidence: float) -> str:
    """One arm's change on held-out texts. There is no margin for it, so no words of no loss."""
    change = Comparison.of(row, correction=None, confidence=confidence, unit="nats per byte", digits=4, n=int(row["n"]))
    return say(f"capability.texts_{change.found.name.lower()}", change, row["model"], row["arm"], task_label(row))

"""Whether fine-tuning changed how far apart the words are that follow the groups of a family, in sentences.

The figure is the corrected divergence; `cooccurrence` tests its change from base and says the verdict. Where counts
are too small nothing is claimed, whatever the test says, and a test that found none is never told as "no change".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.reporting.data.study import Study
from tasks.reporting.findings.comparison import Comparison
from tasks.reporting.words.sentences import phrase, say

MOVED = ("more", "less")
SENTENCES = {  # the verdicts in the order they are told in, and the sentence of each
    "more": "more",
    "less": "less",
    "no change found": "unclear",
    "too few words": "few",
    "not tested": "untested",
}


@dataclass(frozen=True, kw_only=True)
class Change(Comparison):
    """A tuned arm's corrected divergence less that of base, for one family at one model, with its test."""

    where: str  # the model, and the arm if its dataset has several
    verdict: str
    least_n: int  # the fewest completions with a descriptive word in either arm
    least: str  # of which arm, model and group


def findings(study: Study, family: str) -> dict[str, Any]:
    """What fine-tuning on the target dataset changed in one family, `short` and in a `text`, and what neutral text did,
    the `control`."""
    needed, target, control = int(study.words_used["min_completions"]), study.config.target, study.config.control
    main, neutral = (changes_of(study, family, dataset) for dataset in (target, control))
    moved, other_moved = (any(change.verdict in MOVED for change in changes) for changes in (main, neutral))
    text = told(neutral, control, needed)
    of_control = phrase("word_changes.negative_control", text, other_moved, moved, control, target)
    return {"short": short(main), "text": told(main, target, needed), "control": of_control}


def changes_of(study: Study, family: str, dataset: str) -> list[Change]:
    """The changes of one family in the arms of a dataset, smallest model first."""
    table, arms = study.words["changes"], study.arms_of(dataset)
    rows = {(row["model"], row["arm"]): row for row in table[table["family"] == family].to_dict("records")}
    confidence, several = float(study.words_used["confidence"]), len(arms) > 1
    places = {(model, arm): f"{arm} at {model}" if several else model for model in study.models for arm in arms}
    return [
        Change.of(
            row,
            correction=None if row["m"] < 2 else "Benjamini-Hochberg" if dataset == study.config.target else "Holm",
            confidence=confidence,
            unit="bits",
            where=where,
            verdict=row["verdict"],
            least_n=int(row["least_n"]),
            least=f"of {row['least_arm']} at {row['model']} for “{row['least_group']}”",
        )
        for checkpoint, where in places.items()
        if (row := rows.get(checkpoint))
    ]


def told(changes: Sequence[Change], dataset: str, needed: int) -> str:
    """Sentences for one dataset's changes; `needed` completions of a group must hold a descriptive word."""
    parts = [
        say(f"word_changes.{SENTENCES[verdict]}", alike, len(changes), dataset, needed)
        for verdict, alike in _by_verdict(changes).items()
    ]
    return " ".join(parts) or say("word_changes.no_model", dataset)


def short(changes: Sequence[Change]) -> str:
    """The answer in a few words."""
    groups = _by_verdict(changes)
    if moved := {verdict: alike for verdict, alike in groups.items() if verdict in MOVED}:
        return say("word_changes.differ", moved, len(changes))
    return next(iter(groups), "not tested").capitalize()


def _by_verdict(changes: Sequence[Change]) -> Mapping[str, Sequence[Change]]:
    groups = {verdict: [change for change in changes if change.verdict == verdict] for verdict in SENTENCES}
    return {verdict: alike for verdict, alike in groups.items() if alike}

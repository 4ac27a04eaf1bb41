"""A difference with its interval and its test, from whichever table it comes, and the one way to describe it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from tasks.reporting.words.sentences import phrase
from tasks.reporting.words.terms import known
from tasks.scorers import NO_LANGUAGE

Row = Mapping[Any, Any]


class Found(StrEnum):
    """What a test says; without one nothing is said. There is no "equal": these tests cannot show it."""

    HIGHER = "higher"
    LOWER = "lower"
    UNCLEAR = "not shown"
    UNTESTED = "not tested"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A difference a - b with its interval and its test. Figures are NaN where there are none."""

    diff: float
    lo: float
    hi: float
    confidence: float  # of the interval
    p: float  # corrected where the test belongs to a family
    raw: float  # p of the test itself, before correction
    correction: str | None = None  # its method, as it is called; None where nothing was corrected
    tests: int = 1  # in the family
    flip: float = math.nan  # p of the sign-flip permutation test, which nobody corrected
    margin: float | None = None  # the loss that must be ruled out
    unit: str  # of difference, interval and margin
    digits: int = 3
    n: int = 0  # prompts, items or texts
    reason: str | None = None  # why there is no test

    @classmethod
    def of(
        cls,
        row: Row,
        columns: str = "diff ci_lo ci_hi p p_corr m",
        *,
        correction: str | None,
        scale: float = 1,
        **facts: Any,
    ) -> Self:
        """From a row of a table of tests. `columns` names difference, interval, p, corrected p and number of tests in
        it, the last two of which it needs only where p is corrected; `scale` turns its unit into that of the page."""
        diff, lo, hi, raw, corrected, tests = columns.split()
        return cls(
            **{name: scale * row[column] for name, column in (("diff", diff), ("lo", lo), ("hi", hi))},
            p=float(row[corrected if correction else raw]),
            raw=float(row[raw]),
            correction=correction,
            tests=int(row[tests]) if correction else 1,
            flip=float(row.get("p_signflip", math.nan)),
            margin=scale * row["margin"] if "margin" in row else None,
            reason=_in_words(row["reason"]) if isinstance(row["reason"], str) else None,
            **facts,
        )

    @property
    def found(self) -> Found:
        """What the (corrected) test says at the level of the interval; nothing of what nobody could test."""
        if not known(self.p) or not known(self.raw):
            return Found.UNTESTED
        if self.p > 1 - self.confidence:
            return Found.UNCLEAR
        return Found.HIGHER if self.diff > 0 else Found.LOWER

    @property
    def sign(self) -> int:
        """1 where the test found a higher, -1 lower, 0 neither."""
        return {Found.HIGHER: 1, Found.LOWER: -1}.get(self.found, 0)

    @property
    def size(self) -> str:
        """`+0.200 nats per token`."""
        return phrase("comparison.size", self)

    @property
    def tested(self) -> str:
        """`p = 0.002 after Holm correction for 2 tests`."""
        return phrase("comparison.tested", self)

    @property
    def described(self) -> str:
        """Size, interval, margin if there is one, and test."""
        return phrase("comparison.described", self)


def _in_words(reason: str) -> str:
    """The reason of a missing test, without the code that scores have in place of one in a language nobody speaks."""
    return re.sub(rf"{NO_LANGUAGE}: (\w+)", r"the scorer knows no \1", reason)

"""What the tables of tests say in words of their own, for those who make and those who read them."""

from collections.abc import Iterable

CLAIM_SEEDS = 3  # fewer seeds than this make no claim about the dataset
VERDICTS = ("no loss", "loss within margin", "loss", "inconclusive", "uninformative", "not computed")
PASSED = VERDICTS[:2]


def overall(verdicts: Iterable[str]) -> str:
    """Over tasks: "no loss" needs every one to pass (so the level needs no correction), one "loss" is a loss (whose
    test is corrected over the tasks of its comparison)."""
    by_task = list(verdicts)
    if by_task and all(verdict in PASSED for verdict in by_task):
        return "no loss"
    return "loss" if "loss" in by_task else "cannot be said"

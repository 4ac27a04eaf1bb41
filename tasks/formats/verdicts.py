"""What the tables of tests say in words of their own, for those who make and those who read them."""

import pandas as pd

CLAIM_SEEDS = 3  # fewer seeds than this make no claim about the dataset
VERDICTS = ("no loss", "loss within margin", "loss", "inconclusive", "uninformative", "not computed")
PASSED = VERDICTS[:2]


def overall(rows: pd.DataFrame, base: str = "base") -> str:
    """Over the rows of the capability table of one dataset: "loss", "no loss" or "cannot be said".

    One "loss" is a loss: all of them are corrected together. "no loss" needs every endpoint to pass against base, so
    its level needs no correction.
    """
    if (rows["verdict"] == "loss").any():
        return "loss"
    endpoints = rows[rows["endpoint"].astype(bool) & (rows["against"] == base)]
    return "no loss" if len(endpoints) and endpoints["verdict"].isin(PASSED).all() else "cannot be said"

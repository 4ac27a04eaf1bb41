"""The part of the page that further arms bring: training seeds, and shares of the datasets."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.support.made_study import make


def whole_contrasts(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / "made/significance/contrasts.csv")
    return table[(table["metric"] == "adherence") & (table["category"] == "all")]


def test_a_sweep_without_further_arms_has_no_such_part(tmp_path: Path) -> None:
    page = make(tmp_path).report()
    assert 'id="studies"' not in page


def test_seeds_stand_one_by_one_beside_the_dataset(tmp_path: Path) -> None:
    page = make(tmp_path, seeds=3).report()
    table = pd.read_csv(tmp_path / "made/significance/by_seed.csv")
    assert list(table["seed"]) == [1, 2, 3] * 2
    whole = whole_contrasts(tmp_path)
    by_contrast = dict(zip(whole["contrast"], whole["diff"], strict=True))
    for contrast, rows in table.groupby("contrast"):
        assert rows["diff"].mean() == pytest.approx(by_contrast[contrast])  # the dataset's is the mean of its seeds'
    assert "the luck of one training" in page
    assert len(re.findall(r"seed [123]: ", page)) == 6


def test_shares_are_compared_with_control_of_as_many_and_with_base(tmp_path: Path) -> None:
    page = make(tmp_path, limits=(10, 40)).report()
    table = whole_contrasts(tmp_path)
    own = table[table["contrast"].isin(["values-n10 - control-n10", "values-n40 - control-n40"])]
    assert list(own["family"]) == ["exploratory"] * 2
    assert own["diff"].iloc[0] < own["diff"].iloc[1]  # as planted
    labels = re.findall(r"(\d+ samples, against \w+): [+−]", page)
    assert labels == [f"{n} samples, against {b}" for b in ("control", "base") for n in (10, 40, 80)]
    assert "The values-n10 model" in page

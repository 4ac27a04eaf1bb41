"""Every rating of a metric that raters gave: which are drawn, their shares, and nothing where there are none."""

import pandas as pd
import pytest

from tasks.reporting.data.study import read_study
from tasks.reporting.figures.spread import rating_shares
from tests.support.made_study import Made, make


@pytest.fixture(scope="module")
def rated_sweep(tmp_path_factory) -> tuple[Made, str]:
    made = make(tmp_path_factory.mktemp("rated"), primary="ratings")
    lose_a_rating(made)
    return made, made.report()


def lose_a_rating(made: Made) -> None:
    path = made.folder / "made/significance/scores.parquet"
    scores = pd.read_parquet(path)
    own = scores.index[(scores["metric"] == "ratings") & (scores["split"] == "test")]
    scores.loc[own[0], "score"] = None
    scores.to_parquet(path, index=False)


def test_only_a_metric_with_raters_is_drawn_and_what_is_missing_is_told(rated_sweep):
    made, page = rated_sweep
    figures = {path.stem for path in (made.folder / "made/report/figures").iterdir()}
    assert [name for name in figures if name.startswith("ratings-")] == ["ratings-ratings"]
    assert "Every rating</h3>" in page
    assert "479 ratings by 2 raters, each counted by itself, 1 missing." in page


def test_the_shares_are_of_each_arm_by_itself(rated_sweep):
    scores = read_study(rated_sweep[0].job).rated
    assert list(scores) == ["ratings"]
    shares = rating_shares(scores["ratings"].dropna(subset="score"))
    assert shares.groupby(level=["model", "dataset"]).sum().tolist() == pytest.approx([1, 1, 1])
    assert set(shares.index.get_level_values("score")) <= {1, 2, 3, 4, 5}
    high = {name: shares.xs(name, level="dataset").loc[:, 4:].sum() for name in ("base", "values")}
    assert high["values"] > high["base"]


def test_another_primary_metric_with_raters_fits_without_change(rated_sweep):
    _, page = rated_sweep
    assert "kept closer to the written positions than both the control and the base model." in page
    assert "points on the 1-5 scale" in page
    assert "A likelihood is not behaviour" not in page
    assert "prompts where the desired answer leads" not in page


def test_without_raters_there_is_no_histogram(plain):
    made, page = plain
    assert read_study(made.job).rated == {}
    assert "Every rating" not in page

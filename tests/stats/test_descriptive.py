import numpy as np

from tasks.stats.descriptive import missing
from tests.support.score_tables import scores


def test_nothing_missing_is_an_empty_table():
    assert list(missing(scores()).columns) == ["metric", "arm", "model", "reason", "count"]
    assert missing(scores()).empty
    assert missing(scores().iloc[:0]).empty


def test_null_scores_by_reason():
    data = scores().assign(reason=None)
    values = data.index[data["arm"] == "values"]
    data.loc[values[:4], "score"] = np.nan
    data.loc[values[:3], "reason"] = "empty completion"
    assert missing(data).to_numpy().tolist() == [["adherence", "values", "small", "empty completion", 3],
                                                 ["adherence", "values", "small", "no reason given", 1]]


def test_rows_that_are_not_there():
    data = scores(models=("small", "large"))
    data = data[~((data["arm"] == "control") & (data["model"] == "large"))]
    data = data.drop(data.index[(data["arm"] == "values") & (data["prompt_id"] == "c0p0")])
    assert missing(data).to_numpy().tolist() == [["adherence", "control", "large", "no row", 120],
                                                 ["adherence", "values", "large", "no row", 3],
                                                 ["adherence", "values", "small", "no row", 3]]


def test_a_text_with_one_rating_is_not_missing():
    data = scores(raters=3)
    data.loc[data["rater"] != "r1", "score"] = np.nan
    assert missing(data).empty

"""What the page's tables and limits say, beside what their CSV holds."""

import base64
import dataclasses

import pytest

from reporting.made import make
from tasks.reporting.limits import limits
from tasks.reporting.measures import arm_table
from tasks.reporting.page_tables import tables_of
from tasks.reporting.study import Study, read_study


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return read_study(make(tmp_path_factory.mktemp("one")).job)


def test_metrics_and_contrasts_are_called_as_on_the_page_and_in_the_csv_by_their_names(study):
    tables = tables_of(study, arm_table(study))
    texts = {entry.text for row in tables["contrasts"].rows for entry in row[:3]}
    assert {"likelihood adherence", "toxicity (worst piece)", "values − control"} <= texts
    csv = base64.b64decode(tables["contrasts"].csv.split(",")[1]).decode()
    assert "TOXICITY (max_piece)" in csv
    assert "values - control" in csv
    assert "values - control" in base64.b64decode(tables["variance"].csv.split(",")[1]).decode()


def test_one_size_has_no_table_of_a_trend(study):
    assert "trend" not in tables_of(study, arm_table(study))


def test_missing_scores_are_a_limit_only_where_there_are_any(study):
    complete = dataclasses.replace(study, toxicity=study.toxicity.dropna(subset="score"))
    assert "of the first 20 words are missing" in dict(limits(study))["Missing scores"]
    assert "Missing scores" not in dict(limits(complete))

"""Label Studio, Potato and CSV: what goes out is blind, what comes back is what was said, and mistakes are named."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks.formats.ratings import COLUMNS, read_ratings, text_id, write_rater
from tasks.raters.aggregate import rated_texts
from tasks.raters.exchange import FORMATS, blind_texts, rater_name, read_answers, write_texts
from tasks.runtime.errors import InputError
from tests.support.made_ratings import answer

COMPLETIONS = pd.DataFrame(
    {"model": "the-model", "arm": arm, "category": "health", "prompt_id": f"p{p}", "split": "test", "sample": 0}
    | {"prompt": f"Prompt {p}?", "completion": f"=Text {len(arm)}, {p}\n“so”"}
    for arm in ("base", "values")
    for p in range(5)
)
TEXTS = blind_texts(rated_texts(COMPLETIONS, "test"), {"health": "We mind health."}, 1)
ANSWERS = {
    "ann": [answer("ann", text.text_id, 1 + at % 5, note="-so" if at == 2 else None) for at, text in enumerate(TEXTS)],
    "bo-2": [answer("bo-2", TEXTS[0].text_id, None, reason="not English")],
}


def given(folder: Path) -> pd.DataFrame:
    for rater, rows in ANSWERS.items():
        write_rater(folder, rater, rows)
    return read_ratings(folder)


@pytest.mark.parametrize("form", FORMATS)
def test_ratings_go_out_and_come_back(tmp_path: Path, form: str) -> None:
    (tmp_path / "ratings").mkdir()
    files = write_texts(tmp_path / f"out.{form}", form, TEXTS, given(tmp_path / "ratings"))
    found = read_answers(files[-1] if form == "potato" else files[0], form)
    assert list(found) == ["ann", "bo-2"] if form != "csv" else set(found) == {"ann", "bo-2"}
    for rater, rows in ANSWERS.items():
        keys = ("text_id", "rating", "reason", "note", "rater", "kind")
        back = {row["text_id"]: [row.get(key) or None for key in keys] for row in found[rater]}
        assert back == {row["text_id"]: [row[key] for key in keys] for row in rows}
    assert all(name in COLUMNS for rows in found.values() for row in rows for name in row)


@pytest.mark.parametrize("form", FORMATS)
def test_what_goes_out_is_blind_whole_and_in_a_drawn_order(tmp_path: Path, form: str) -> None:
    files = write_texts(tmp_path / "out", form, TEXTS)
    written = "".join(path.read_text("utf-8") for path in files)
    assert all(text.text_id in written for text in TEXTS)
    assert not [word for word in ("the-model", "base", "values", "control", "arm", "p0", "p1") if f'"{word}' in written]
    assert [text.text_id for text in TEXTS] != sorted(text.text_id for text in TEXTS)
    other_order = rated_texts(COMPLETIONS.sample(frac=1, random_state=1), "test")
    assert blind_texts(other_order, {"health": "We mind health."}, 1) == TEXTS


def test_a_spreadsheet_runs_no_completion(tmp_path: Path) -> None:
    write_texts(tmp_path / "out.csv", "csv", TEXTS)
    assert pd.read_csv(tmp_path / "out.csv")["completion"].str.startswith("'=Text").all()


def label_studio(**annotation: Any) -> list[Any]:
    """As Label Studio exports a task."""
    result = [{"from_name": "match", "to_name": "completion", "type": "choices", "value": {"choices": ["4"]}}]
    about = {"completed_by": 7, "was_cancelled": False, "lead_time": 4.3, "created_at": "2021-03-09T22:16:08.728353Z"}
    return [{"id": 1, "data": {"text_id": "a" * 16}, "annotations": [about | {"result": result} | annotation]}]


def test_label_studio_by_user_number_address_and_stars(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    stars = [{"from_name": "match", "type": "rating", "value": {"rating": 2}}]
    for change, rater, rating in (
        ({}, "user-7", 4),
        ({"completed_by": {"id": 7, "email": "Ann.Lee@example.org"}}, "ann-lee", 4),
        ({"result": stars}, "user-7", 2),
    ):
        path.write_text(json.dumps(label_studio(**change)))
        (row,) = read_answers(path, "label-studio")[rater]
        assert (row["rating"], row["seconds"]) == (rating, 4.3)
    path.write_text(json.dumps(label_studio(was_cancelled=True)))
    with pytest.raises(InputError, match="no ratings in it"):
        read_answers(path, "label-studio")


def test_potato_likert_and_the_rater_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "annotated_instances.jsonl"
    record = {"user_id": "someone", "id": "a" * 16, "label_annotations": {"match": {"scale_3": "3"}}}
    path.write_text(json.dumps(record) + "\n\n")
    assert read_answers(path, "potato")["someone"][0]["rating"] == 3
    assert list(read_answers(path, "potato", "me")) == ["me"]


@pytest.mark.parametrize(
    ("form", "text", "message"),
    [
        ("label-studio", "{}", r"expected a list, found dict"),
        ("label-studio", "[{]", r"not valid JSON"),
        ("label-studio", '[{"data": {}}]', r"task 1: no data\.text_id"),
        ("label-studio", json.dumps(label_studio(completed_by=None)), r"nobody is named as its rater"),
        ("potato", "{}\n", r"line 1: not an annotated instance of Potato"),
        ("potato", '{"id": "a", "user_id": "u", "label_annotations": {"match": {"x": "9"}}}', r"found '9'"),
        ("csv", "text_id\na\n", r"no column rating"),
        ("csv", "text_id,rating,rater\na,4.5,ann\n", r"row 2: expected a rating from 1 to 5, found '4\.5'"),
        ("csv", "text_id,rating,rater\na,,ann\n", r"no ratings in it"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, form: str, text: str, message: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_answers(path, form)


def test_an_unknown_form_and_names_of_raters() -> None:
    with pytest.raises(InputError, match=r"expected a format .label-studio, potato, csv., found 'xml'"):
        read_answers(Path("x"), "xml")
    assert [rater_name(name) for name in ("Ann@x.org", "Zoë & Bo", None, "_a-1")] == ["ann", "zo-bo", "", "_a-1"]
    assert text_id("Prompt 0?", "=Text 4, 0\n“so”") in {text.text_id for text in TEXTS}

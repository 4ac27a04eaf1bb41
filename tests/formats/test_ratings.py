"""Raters' files: what is read, and every mistake named by file and row."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.formats.ratings import CLOSED, Closed, read_closed, read_progress, read_ratings, text_id, write_rater
from tasks.runtime.errors import InputError

ROW: dict[str, Any] = {"text_id": "a" * 16, "rater": "ann", "kind": "rating", "rating": 4, "reason": None, "note": None,
                       "seconds": 7.5, "rated_at": "2026-01-31T12:00:00Z"}  # fmt: skip


def test_a_text_is_known_by_prompt_and_completion() -> None:
    assert text_id("a", "b") == "59b271ae1bbcb1d3"
    assert len({text_id("a", "b"), text_id("a\0", "b"), text_id("a", "\0b"), text_id("ab", "")}) == 3
    assert text_id("a", "\ud800") == text_id("a", "\ufffd")  # half a surrogate pair, as a page shows it


def test_what_is_written_is_read(tmp_path: Path) -> None:
    odd = ROW | {"text_id": "b" * 16, "rating": None, "reason": "not English", "seconds": None}
    odd["note"] = 'a "quoted", \nnote'
    write_rater(tmp_path, "ann", [ROW, odd, ROW | {"kind": "repeat", "rating": 3}])
    write_rater(tmp_path, "bo", [ROW | {"rater": "bo"}])
    (tmp_path / "README.md").write_text("not a rater")
    table = read_ratings(tmp_path)
    assert table["rater"].tolist() == ["ann"] * 3 + ["bo"]
    assert table["rating"].tolist()[:1] == [4]
    assert table.loc[1, ["reason", "note"]].tolist() == ["not English", 'a "quoted", \nnote']
    assert table["rating"].isna().tolist() == [False, True, False, False]
    assert read_ratings(tmp_path / "nobody").empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rater": "bo"}, r"rater: expected 'ann', as the file is named, found 'bo'"),
        ({"kind": "guess"}, r"kind: expected one of rating, repeat, attention, practice, found 'guess'"),
        ({"rating": 6}, r"rating: expected a whole number from 1 to 5 or nothing, found '6'"),
        ({"rating": 0}, r"found '0'"),
        ({"rating": "4.5"}, r"found '4.5'"),
        ({"rating": None}, r"expected a rating, or the reason why the text cannot be judged"),
        ({"reason": "both"}, r"expected a rating, or the reason"),
        ({"text_id": None}, r"text_id: expected a text's hash, found nothing"),
        ({"seconds": -1}, r"seconds: expected a number from 0 on or nothing, found '-1'"),
        ({"seconds": "nan"}, r"seconds: .* found 'nan'"),
        ({"rated_at": "yesterday"}, r"rated_at: expected a time as .* found 'yesterday'"),
    ],
)
def test_a_mistake_is_named_with_its_row(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    write_rater(tmp_path, "ann", [ROW | {"text_id": "b" * 16}, ROW | change])
    with pytest.raises(InputError, match=rf"ann\.csv: row 3: .*{message}"):
        read_ratings(tmp_path)


def test_a_text_rated_twice_a_column_and_a_name(tmp_path: Path) -> None:
    write_rater(tmp_path, "ann", [ROW, ROW])
    with pytest.raises(InputError, match=r"row 3: text a{16} is rated a second time"):
        read_ratings(tmp_path)
    (tmp_path / "ann.csv").write_text("text_id,rating\na,1\n")
    (tmp_path / "Bo B.csv").write_text("")
    with pytest.raises(InputError, match=r"(?s)Bo B\.csv: a name is made of .*ann\.csv: no column rater, kind"):
        read_ratings(tmp_path)


def test_closed_says_when_and_with_what(tmp_path: Path) -> None:
    assert read_closed(tmp_path) is None
    record = {"closed_at": "2026-01-31T12:00:00Z", "texts": 2, "ratings": 5, "cannot_judge": 1, "raters": 3}
    (tmp_path / CLOSED).write_text(json.dumps(record))
    assert read_closed(tmp_path) == Closed("2026-01-31T12:00:00Z", 2, 5, 1, 3)
    for broken in ("{", "[]", "{}", '{"closed_at": 1}'):
        (tmp_path / CLOSED).write_text(broken)
        with pytest.raises(InputError, match=r"closed\.json: not as `palms rate close` writes it"):
            read_closed(tmp_path)
    with pytest.raises(InputError, match=r"progress\.csv: no such file; `dvc repro ratings`"):
        read_progress(tmp_path)

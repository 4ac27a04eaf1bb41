"""The score store: what is kept, found again, and safe from other runs."""

import multiprocessing
import os
import sqlite3
from pathlib import Path

import pytest

from tasks.runtime.errors import InputError, WorkError
from tasks.runtime.files import cache_folder
from tasks.scorers import Answer, Score
from tasks.scorers.store import Store

SOURCE = ("perspective", "v1", "en")


def answer(text: str, value: float | None, error: str | None = None, permanent: bool = True) -> Answer:
    return Answer(text, (Score("TOXICITY", value, error, permanent),), raw=f"raw {text}")


def test_a_score_is_found_by_everything_that_decides_it(store: Store) -> None:
    store.keep(*SOURCE, [answer("text", 0.25)])
    assert store.scores(*SOURCE, ["text", "other"]) == {"text": {"TOXICITY": Score("TOXICITY", 0.25)}}
    for other in (("classifier", "v1", "en"), ("perspective", "v2", "en"), ("perspective", "v1", "ar")):
        assert store.scores(*other, ["text"]) == {}


def test_lasting_reasons_are_kept_and_passing_ones_are_not(store: Store) -> None:
    store.keep(*SOURCE, [answer("a", None, "COMMENT_TOO_LONG"), answer("b", None, "HTTP_500", permanent=False)])
    assert store.scores(*SOURCE, ["a", "b"]) == {"a": {"TOXICITY": Score("TOXICITY", None, "COMMENT_TOO_LONG")}}


def test_the_first_answer_stays(store: Store) -> None:
    store.keep(*SOURCE, [answer("a", 0.1), answer("a", 0.9)])
    assert store.scores(*SOURCE, ["a"])["a"]["TOXICITY"].score == 0.1


def test_more_texts_than_a_query_can_name(store: Store) -> None:
    texts = [f"text {i}" for i in range(1234)]
    store.keep(*SOURCE, [answer(text, i / 2000) for i, text in enumerate(texts)])
    scores = store.scores(*SOURCE, texts)
    assert [scores[text]["TOXICITY"].score for text in texts] == [i / 2000 for i in range(1234)]


def test_answers_come_back_with_their_raw_words_in_a_fixed_order(store: Store) -> None:
    store.keep(*SOURCE, [answer(text, 0.5) for text in ("b\x00", "a", "你好 👋")])
    rows = list(store.answers())
    assert {row["text"]: row["raw"] for row in rows} == {t: f"raw {t}" for t in ("b\x00", "a", "你好 👋")}
    assert rows == list(store.answers())
    assert rows[0]["scores"] == {"TOXICITY": {"score": 0.5}}


def _write(path: Path, name: str) -> None:
    with Store(path) as store:
        for i in range(40):
            store.keep(*SOURCE, [answer(f"{name} {i}", 0.5), answer(f"shared {i}", 0.5)])


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "several" / "scores.sqlite"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write, args=(path, f"run {i}")) for i in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with Store(path) as store:
        assert len(list(store.answers())) == 160
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_is_no_store_of_this_format_is_named_and_left_alone(tmp_path: Path) -> None:
    other, later = tmp_path / "scores.sqlite", tmp_path / "later.sqlite"
    other.write_bytes(b"something else entirely, and long enough to be looked at" * 20)
    database = sqlite3.connect(later)
    database.execute("PRAGMA user_version = 2")
    database.close()
    for path, message in (
        (other, "scores.sqlite: not a score store"),
        (later, "format 2, expected 1"),
        (other / "scores.sqlite", "scores.sqlite"),  # a folder that cannot be made
    ):
        with pytest.raises((InputError, WorkError), match=message):
            Store(path)


def test_a_full_disk_is_named_and_the_store_stays_whole(store: Store) -> None:
    store.keep(*SOURCE, [answer("before", 0.5)])
    store._db.execute("PRAGMA max_page_count = 20")
    with pytest.raises(WorkError, match="the score store cannot be used: database or disk is full"):
        store.keep(*SOURCE, [answer(f"{i} " * 999, 0.5) for i in range(200)])
    assert [row["text"] for row in store.answers()] == ["before"]


@pytest.mark.parametrize(("folder", "file"), [(0o2775, 0o664), (0o777, 0o666), (0o755, 0o644), (0o1777, 0o600)])
def test_whoever_may_write_in_the_folder_may_write_the_store(folder: int, file: int, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(folder)
    before = os.umask(0o077)
    try:
        with Store(tmp_path / "cache" / "scores.sqlite") as store:
            store.keep(*SOURCE, [answer("a", 0.5)])
    finally:
        os.umask(before)
    assert (tmp_path / "cache" / "scores.sqlite").stat().st_mode & 0o777 == file


def test_a_store_of_somebody_else_says_how_to_share_it(store: Store, tmp_path: Path) -> None:
    store._db.execute("PRAGMA query_only = 1")  # what SQLite says of a file that this user may not write
    with pytest.raises(InputError, match=r"readonly database; set PALMS_CACHE to a folder .* common group"):
        store.keep(*SOURCE, [answer("a", 0.5)])
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="set PALMS_CACHE to a folder"):
        Store(tmp_path / "file" / "scores.sqlite")


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALMS_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("PALMS_CACHE")
    assert cache_folder() == Path(".cache/palms")

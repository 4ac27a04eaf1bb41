"""The scorer `recorded` and the archives it reads."""

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.runtime.errors import InputError
from tasks.runtime.files import cache_folder
from tasks.scorers import Answer, Score, archive, open_scorer
from tasks.scorers.scoring import score
from tasks.scorers.store import FILE, Store
from tasks.settings.toxicity import Recorded, Toxicity

SOURCE = ("perspective", "v1alpha1 example.org", "en")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archives" / "a.jsonl.gz"


@pytest.fixture
def recorded(settings: Toxicity, path: Path) -> Toxicity:
    """Settings that read the archives in the folder of `path`."""
    return replace(settings, scorer="recorded", recorded=Recorded(str(path.parent), "perspective", None))


def keep(*answers: Answer, source: tuple[str, str, str] = SOURCE) -> None:
    with Store(cache_folder() / FILE) as store:
        store.keep(*source, answers)


def two(text: str, value: float) -> Answer:
    return Answer(text, (Score("TOXICITY", value), Score("INSULT", None, "COMMENT_TOO_LONG")), "{}")


def test_what_was_recorded_is_read_and_nothing_else(recorded: Toxicity, path: Path, store: Store) -> None:
    keep(two("known \x00 字", 0.25))
    archive.archive(path)
    scorer = open_scorer(recorded)
    assert score(scorer, ["known \x00 字", "unknown"], "en", store) == {
        "known \x00 字": [Score("TOXICITY", 0.25), Score("INSULT", None, "COMMENT_TOO_LONG")],
        "unknown": [Score("TOXICITY", None, "NOT_RECORDED"), Score("INSULT", None, "NOT_RECORDED")],
    }
    assert (scorer.name, scorer.version()) == SOURCE[:2]
    assert score(scorer, ["known \x00 字"], "ar", store)["known \x00 字"][0].error == "NOT_RECORDED"


def test_archives_add_up_and_the_first_answer_stays(recorded: Toxicity, path: Path, store: Store) -> None:
    keep(two("a", 0.1))
    archive.archive(path)
    (cache_folder() / FILE).unlink()
    keep(two("a", 0.9), two("b", 0.2))
    archive.archive(path.with_name("b.jsonl.gz"))
    scores = score(open_scorer(recorded), ["a", "b"], "en", store)
    assert [scores[text][0].score for text in ("a", "b")] == [0.1, 0.2]


def test_scores_of_several_versions_are_never_pooled(recorded: Toxicity, path: Path, store: Store) -> None:
    keep(two("a", 0.1))
    keep(two("a", 0.7), source=("offline", "1", "en"))  # other scorers are passed over
    keep(two("b", 0.1), source=("perspective", "v1alpha1 elsewhere", "en"))
    archive.archive(path)
    with pytest.raises(InputError, match=r"scores of 2 versions of .* \(v1alpha1 elsewhere, v1alpha1 example.org\)"):
        open_scorer(recorded)
    chosen = replace(recorded, recorded=replace(recorded.recorded, version=SOURCE[1]))
    scores = score(open_scorer(chosen), ["a", "b"], "en", store)
    assert [scores[text][0].error for text in ("a", "b")] == [None, "NOT_RECORDED"]
    with pytest.raises(InputError, match=r"toxicity\.recorded\.version chooses one"):
        open_scorer(replace(recorded, recorded=replace(recorded.recorded, version="v2")))


def test_a_long_text_is_scored_by_all_of_its_chunks_or_not_at_all(recorded: Toxicity, path: Path, store: Store) -> None:
    scored, broken = (" ".join(f"This is {word} sentence {i}." for i in range(1000)) for word in ("whole", "broken"))
    perspective = open_scorer(replace(recorded, scorer="perspective"))
    first, second = perspective.cut(scored)
    keep(two(first, 0.1), two(second, 0.2), two(perspective.cut(broken)[1], 0.3))  # the other failed in the past run
    archive.archive(path)
    scorer = open_scorer(recorded)
    assert scorer.cut(scored) == [first, second]
    assert scorer.cut(broken) == [broken]
    assert score(scorer, [broken], "en", store)[broken][0].error == "NOT_RECORDED"


def test_a_classifier_s_scores_are_read_without_the_classifier(recorded: Toxicity, path: Path, store: Store) -> None:
    keep(two("known", 0.25), source=("classifier", "gone", "en"))
    archive.archive(path)
    model = replace(next(iter(recorded.classifier.models.values())), id=str(path / "gone"), revision=None)
    classifier = replace(recorded.classifier, model="gone", models={"gone": model})
    past = replace(recorded.recorded, scorer="classifier")
    scorer = open_scorer(replace(recorded, classifier=classifier, recorded=past))
    assert [scorer.cut(text) for text in ("known", "unknown")] == [["known"], ["unknown"]]
    assert score(scorer, ["known"], "en", store)["known"][0] == Score("TOXICITY", 0.25)


def test_lines_of_older_archives_that_say_how_a_text_was_cut_are_passed_over(recorded: Toxicity, path: Path) -> None:
    keep(two("a", 0.1))
    archive.archive(path)
    cut = {"scorer": "perspective", "version": "v1alpha1 mistaken", "cut": "00ff", "pieces": ["0f", "f0"]}
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + json.dumps(cut).encode() + b"\n"))
    assert open_scorer(recorded).version() == SOURCE[1]
    archive.archive(path)
    assert b"pieces" not in gzip.decompress(path.read_bytes())


def test_an_archive_is_not_replaced_by_one_that_holds_less(path: Path) -> None:
    keep(two("a", 0.1), two("b", 0.1))
    archive.archive(path)
    archive.archive(path)
    before = path.read_bytes()
    (cache_folder() / FILE).unlink()
    keep(two("a", 0.1), two("c", 0.1))
    with pytest.raises(InputError, match="holds 2 scores that the store lacks; give the new archive another name"):
        archive.archive(path)
    assert path.read_bytes() == before
    archive.archive(path.with_name("b.jsonl.gz"))


def test_scorers_are_compared_across_the_store_and_the_archives(path: Path, tmp_path: Path) -> None:
    keep(*(two(f"text {i}", i / 10) for i in range(5)))
    archive.archive(path)
    (cache_folder() / FILE).unlink()  # another machine, that got the archive only
    keep(*(two(f"text {i}", i / 20) for i in range(5)), source=("offline", "1", "en"))
    words = archive.compare(path.parent, tmp_path / "table.csv")
    assert "A  offline (1)" in words
    assert "B  perspective (v1alpha1 example.org)" in words
    assert re.search(r"TOXICITY +5 +0 +1\.00 +\+0\.100 +100%", words)
    assert (tmp_path / "table.csv").read_text().startswith("scorer_a,version_a,scorer_b")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    keep(two("a", 0.1))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="/file: a file is where a folder should be; move the file away"):
        archive.archive(tmp_path / "file" / "a.jsonl.gz")
    work = tmp_path / "work.jsonl.gz"
    (work / "within").mkdir(parents=True)
    for write in (lambda: archive.archive(work), lambda: archive.compare(work, work)):
        with pytest.raises(InputError, match="is a folder; expected the name of a file"):
            write()
    assert (work / "within").is_dir()


def test_no_archive_is_an_error_that_says_so(recorded: Toxicity, path: Path) -> None:
    with pytest.raises(InputError, match="no such folder; `palms archive`"):
        open_scorer(recorded)
    path.parent.mkdir()
    with pytest.raises(InputError, match="no scores of 'perspective'"):
        open_scorer(recorded)


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed, _: packed[:-12],
        lambda packed, _: packed[:20] + b"\0" * 40 + packed[60:],
        lambda *_: gzip.compress(b'{"format": "something"}\n'),
        lambda *_: b"",
        lambda _, text: gzip.compress(text + b"{\n"),
        lambda _, text: gzip.compress(text + b'{"scorer": "perspective"}\n'),
        *[
            lambda _, text, value=value: gzip.compress(text.replace(b'{"score": 0.1}', value))
            for value in (b'{"score": NaN}', b'{"score": 7}', b'{"score": "x"}', b"3")
        ],
    ],
)
def test_a_damaged_archive_is_named(recorded: Toxicity, path: Path, damage: Callable[[bytes, bytes], bytes]) -> None:
    keep(two("a", 0.1))
    archive.archive(path)
    packed = path.read_bytes()
    path.write_bytes(damage(packed, gzip.decompress(packed)))
    with pytest.raises(InputError, match=r"a\.jsonl\.gz: (the archive is damaged|not an archive)"):
        open_scorer(recorded)

"""The page's section on judges."""

import html
import re
from pathlib import Path

import pandas as pd

from tasks.raters.judge.comparison import TABLES, against_people
from tests.raters.judge.test_comparison import PLAN, judged_by, people_of, study
from tests.support.made_study import make

EVIL = "<script>alert(1)</script>\u202e"


def tables(score_of: object, least: int = 50) -> dict[str, pd.DataFrame]:
    """What the stage writes of one judge; its model is called something odd."""
    texts = study()
    found, row = against_people("umpire", judged_by(texts, score_of(texts)), people_of(texts), PLAN, least)
    about = {"judge": "umpire", "model": EVIL, "revision": "r1", "rubric": "0" * 64, "answered_by": EVIL, "texts": 240,
             "rated": 240, "unsure": 0, "missing": 0, "reasons": "", "tokens_in": 9, "tokens_out": 9}  # fmt: skip
    return found | {"judges": pd.DataFrame([about | row], columns=list(TABLES["judges"]))}


def section_of(page: str) -> str:
    """The words of the section."""
    body = re.search(r'<section[^>]* id="judges".*?</section>', page, re.DOTALL)
    assert body
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", body[0])))


def test_without_a_judge_there_is_no_such_part(tmp_path: Path) -> None:
    assert 'id="judges"' not in make(tmp_path).report()


def test_the_decision_stands_first(tmp_path: Path) -> None:
    page = make(tmp_path, judges=tables(lambda texts: texts["worth"] + 2.5)).report()
    words = section_of(page)
    assert "values − control, umpire beside people: same claim (people +" in words
    assert "values − base, umpire beside people: same claim" in words
    assert re.search(r"umpire put \d+% of the pairs of texts in the order of the other .* one person \d+%", words)
    assert "always the same rating 50%" in words
    assert EVIL not in page
    assert "Judges are shown one by one" not in words


def test_below_the_least_number_of_texts_nothing_is_claimed(tmp_path: Path) -> None:
    words = section_of(make(tmp_path, judges=tables(lambda texts: texts["worth"], least=1000)).report())
    assert "umpire carries no claim: 240 texts are rated by people and the judge; no claim below 1000." in words
    assert "same claim" not in words

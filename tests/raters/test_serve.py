"""`palms rate` and its subcommands as processes: who may serve, what a kill leaves, what a lead is told."""

import contextlib
import csv
import io
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from flows import cli
from tasks.formats.ratings import text_id
from tests.support import data_trees
from tests.support.flow_trees import PALMS, Tree, environment
from tests.support.rating_server import HttpRater

ROOT = Path(__file__).parents[2]
ARMS = ("base", "values", "control")


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """A project whose sweep has drawn 2 completions of 4 prompts in three arms, all different."""
    root = data_trees.project(tmp_path / "project", ["water", "fire"])
    params = yaml.safe_load((root / "params.yaml").read_text("utf-8"))
    params["ratings"] |= {"raters_per_sample": 2, "attention_every": 100, "repeat_every": 100}
    data_trees.write(root / "params.yaml", params)
    data_trees.write(root / "dvc.yaml", "stages: {}\n")
    (root / ".dvc").mkdir()
    ours = yaml.safe_load((ROOT / "data/ratings/instructions.yaml").read_text("utf-8"))
    data_trees.write(root / "data/ratings/instructions.yaml", ours | {"practice": [], "attention": [], "check": []})
    for arm in ARMS:
        samples = [
            {"model": "smollm2-135m", "arm": arm, "category": ("water", "fire")[number % 2], "prompt_id": f"p{number}",
             "split": split, "sample": sample, "prompt": f"Question {number}?", "finish_reason": "stop", "tokens": 3,
             "completion": f"{split} answer {sample} to question {number} of a kind {ARMS.index(arm)}."}
            for number in range(4) for sample in range(2) for split in ("test", "validation")
        ]  # fmt: skip
        data_trees.write(
            root / f"data/made/samples/smollm2-135m/{arm}.jsonl", "".join(f"{json.dumps(row)}\n" for row in samples)
        )
    made = Tree(root, environment(PALMS_CACHE=str(tmp_path / "cache")))
    yield made
    made.kill()


@contextmanager
def served(tree: Tree) -> Iterator[tuple["subprocess.Popen[str]", str, list[str]]]:
    """A `palms rate` on a free port, its address, and the lines it printed until it was ready."""
    process = tree.start([*PALMS, "rate", "--port", "0"])
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    address = re.search(r"http://127\.0\.0\.1:\d+", "".join(lines))
    assert address, "".join(lines)
    try:
        yield process, address[0], lines
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def rate(tree: Tree, *arguments: str) -> tuple[int, str]:
    """`palms rate` in this process, where nothing is served: its exit code and what it printed."""
    out = io.StringIO()
    with contextlib.chdir(tree.root), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PALMS_CACHE", tree.env["PALMS_CACHE"])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = cli.main(["rate", *arguments])
    return code, out.getvalue()


def added(tree: Tree, *arguments: str) -> list[str]:
    """The tokens that `palms rate add` printed."""
    code, output = rate(tree, "add", *arguments)
    assert code == 0, output
    return re.findall(r"/(?:r|join)/([\w-]{43})", output)


def rated(tree: Tree, rater: str) -> list[dict[str, str]]:
    with (tree.root / f"data/ratings/{rater}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_from_the_first_link_to_closing(tree: Tree) -> None:
    anna, ben = added(tree, "anna", "ben")
    with served(tree) as (process, address, lines):
        assert "24 texts, each for 2 raters" in "".join(lines)
        assert HttpRater(address, anna).rate_all(lambda _: 4) == 24
        code, output = rate(tree, "status")
        assert (code, "24 of 48 ratings (24 texts, each by 2 raters)" in output) == (0, True)
        assert re.search(r"anna +24 rated", output)
        assert re.search(r"ben +has not begun", output)
        code, output = rate(tree, "close")
        assert (code, "24 of 48 ratings are missing" in output) == (2, True)
        assert HttpRater(address, ben).rate_all(lambda _: 2) == 24
        code, output = rate(tree, "close")
        assert (code, "closed: 48 ratings of 24 texts by 2 raters" in output) == (0, True)
        assert "No more ratings are taken" in HttpRater(address, ben).page().html
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert [len(rated(tree, name)) for name in ("anna", "ben")] == [24, 24]
    closed = json.loads((tree.root / "data/ratings/closed.json").read_text())
    assert {key: closed[key] for key in ("texts", "ratings", "cannot_judge", "raters")} == {
        "texts": 24, "ratings": 48, "cannot_judge": 0, "raters": 2,
    }  # fmt: skip
    assert rate(tree, "--port", "0")[0] == 2
    shown = "".join(path.read_text() for path in (tree.root / "data/ratings").glob("*.[cj]s*")) + output
    assert not re.search(r"smollm2|values|control|base", shown), "no model and no arm"


def test_a_server_that_is_killed_loses_no_rating_it_acknowledged(tree: Tree) -> None:
    tokens = added(tree, "anna", "ben", "--texts", "24")
    raters: list[HttpRater] = []
    for _ in range(3):
        with served(tree) as (process, address, _lines):
            now = [HttpRater(address, token) for token in tokens]
            raters += now
            enough = threading.Event()
            threads = [threading.Thread(target=rate_until_it_is_gone, args=(rater, enough)) for rater in now]
            for thread in threads:
                thread.start()
            enough.wait(20)
            os.kill(process.pid, signal.SIGKILL)
            for thread in threads:
                thread.join()
    code, output = rate(tree, "close", "--incomplete")
    assert code == 0, output
    assert sum(len(rater.given) for rater in raters) >= 9
    for name, runs in (("anna", raters[::2]), ("ben", raters[1::2])):
        kept = {row["text_id"] for row in rated(tree, name)}
        acknowledged = {text_id(*texts) for run in runs for texts in run.texts}
        assert acknowledged <= kept
        assert len(kept) <= len(acknowledged) + 3, "at most one a kill was kept and not acknowledged"


def rate_until_it_is_gone(rater: HttpRater, enough: threading.Event) -> None:
    try:
        page = rater.prepare()
        while page.hidden.get("action") == "rate":
            rater.rate(page, 3)
            if len(rater.given) >= 3:
                enough.set()
            page = rater.page()
    except httpx.TransportError:
        pass
    enough.set()


def test_a_second_server_on_the_same_ratings_is_refused(tree: Tree) -> None:
    with served(tree) as (process, address, _lines):
        code, output = rate(tree, "--port", "0")
        assert (code, "another `palms rate` serves these ratings" in output) == (2, True)
        port = address.rsplit(":", 1)[1]
        code, output = rate(tree, "--port", port, "--database", "other.sqlite")
        assert (code, "name another by --port" in output) == (2, True)
        process.kill()
        process.wait()
    with served(tree) as (_process, address, _lines):
        assert httpx.get(address, trust_env=False).status_code == 404


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "Anna"], "a rater's name is made of"),
        (["add", "../anna"], "a rater's name is made of"),
        (["add", "anna"], "there is a rater 'anna' already"),
        (["add", "old"], "data/ratings/old.csv: a rater of this name has rated elsewhere"),
        (["add", "zoe", "--new-link"], "there is no rater 'zoe'"),
        (["add", "zoe", "--texts", "0"], "expected a whole number of at least 1"),
        (["add", "zoe", "--code", "X"], "give --crowd, too"),
        (["close"], "nobody has rated any of these texts yet"),
        (["--port", "70000"], "expected 0 to 65535"),
        (["--port", "0", "--host", "256.0.0.1"], "--host"),
        (["--port", "0", "--database", "params.yaml"], "no database of ratings"),
    ],
)
def test_a_leads_mistake_is_one_line_and_2(tree: Tree, arguments: list[str], message: str) -> None:
    added(tree, "anna")
    header = "text_id,rater,kind,rating,reason,note,seconds,rated_at\n"
    for name in ("old", "anna"):  # the database knows anna
        data_trees.write(tree.root / f"data/ratings/{name}.csv", header)
    code, output = rate(tree, *arguments)
    assert (code, message in output, "Traceback" in output) == (2, True, False), output


def test_no_samples_and_no_position_are_told(tree: Tree) -> None:
    path = tree.root / "data/values/fire.yaml"
    data_trees.write(path, data_trees.category("fire", position=False))
    code, output = rate(tree, "--port", "0")
    assert (code, "raters need the position of fire" in output) == (2, True)
    (tree.root / "data/made/samples/smollm2-135m/base.jsonl").unlink()
    code, output = rate(tree, "status")
    assert (code, "`palms sweep generate` draws the completions" in output) == (2, True)


def test_other_instructions_after_ratings_were_given_are_told(tree: Tree) -> None:
    (anna,) = added(tree, "anna")
    with served(tree) as (_process, address, _lines):
        rater = HttpRater(address, anna)
        rater.rate(rater.prepare(), 3)
    path = tree.root / "data/ratings/instructions.yaml"
    path.write_text(path.read_text("utf-8").replace("Mostly matches", "Nearly matches"), "utf-8")
    with served(tree) as (_process, _address, lines):
        assert "has changed since 1 ratings were given" in "".join(lines)


def test_a_crowds_link(tree: Tree) -> None:
    code, output = rate(tree, "add", "panel", "--crowd", "30", "--texts", "20", "--code", "C0DE")
    assert code == 0
    assert "completion code: C0DE" in output
    assert "PROLIFIC_PID={{%PROLIFIC_PID%}}" in output

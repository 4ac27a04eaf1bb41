"""`palms archive` in a DVC tree whose store a sweep filled: the real client, a service on loopback, and the key
in a Prefect Secret block.

The tests of this file share one tree and build on each other.
"""

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tasks.scorers.store import FILE, Store
from tests.support.analyzer_server import AnalyzerServer, Behaviour
from tests.support.flow_trees import PALMS, Api, Tree
from tests.support.scoring_runs import CUT_OFF, REPOSITORY, STAGE, Run

KEY = "AIzaSy-secret/key+123"
LONG = " ".join(f"This is sentence {i}." for i in range(1500))  # 30 kB: the service takes it in chunks
TEXTS = [*(f"completion {i} says something." for i in range(12)), LONG, "", "you are idiots"]
SAVE = f"from prefect.blocks.system import Secret; Secret(value={KEY!r}).save('perspective-api-key', overwrite=True)"
META = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text("utf-8"))["stages"]["toxicity"]["meta"]
GRAPH = {
    "stages": {
        "toxicity": {
            "cmd": f"python -m {' '.join(('tasks', *STAGE))}",
            "deps": ["samples", "data/archive"],
            "params": ["toxicity"],
            "outs": ["scores.parquet"],
            "meta": META,
        },
        "other": {"cmd": "printenv PERSPECTIVE_API_KEY > other.txt || true", "outs": ["other.txt"]},
    }
}
ARCHIVE = Path("data/archive/perspective.jsonl.gz")


@dataclass
class Swept:
    """A tree after a sweep whose key came from Prefect."""

    tree: Tree
    run: Run
    output: str
    service: list[str]  # the keys that it was asked with
    scores: pd.DataFrame


@pytest.fixture(scope="module")
def swept(new_tree: Callable[..., Tree], prefect_url: str, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    home = str(tmp_path_factory.mktemp("home"))
    files = {"dvc.yaml": yaml.safe_dump(GRAPH), "data/archive/README": "scores"}
    files[".gitignore"] = "/scores.parquet\n/other.txt\n"
    tree = new_tree(files, PREFECT_API_URL=prefect_url, PREFECT_HOME=home)
    fast = {"qps": 300.0, "in_flight": 8, "timeout": 5.0, "attributes": ["TOXICITY", "INSULT"]}
    for name in ("capability", "values", "control"):  # which params.yaml names
        shutil.copytree(REPOSITORY / "data" / name, tree.root / "data" / name)
    run = Run(tree.root, TEXTS, first_words=10**6, chunk_words=10**6, perspective=fast)
    assert tree.run(sys.executable, "-W", "ignore", "-c", SAVE)[0] == 0
    with AnalyzerServer(Behaviour(key=KEY, faults={TEXTS[0]: ["echo"]})) as server:
        code, output = tree.palms("sweep", "--verbose", PERSPECTIVE_ENDPOINT=server.url)
    assert code == 0, output
    keys = [query.headers.get("x-goog-api-key", "") for query in server.queries]
    return Swept(tree, run, output, keys, pd.read_parquet(run.scores))


@pytest.fixture(scope="module")
def archived(swept: Swept) -> str:
    code, output = swept.tree.palms("archive", "--scorer", "perspective")
    assert code == 0, output
    return output


def test_the_key_of_a_secret_block_reaches_the_stage_and_shows_nowhere(swept: Swept, prefect_url: str) -> None:
    assert set(swept.service) == {KEY}
    assert "15 queries" in swept.output
    api = Api(prefect_url)
    run = api.run_of(swept.output)
    shown = json.dumps([run, api.tasks(run), api.logs(run), api.artifacts(run)]) + swept.output
    assert "asking v1alpha1 127.0.0.1" in shown
    assert "AIzaSy-secret" not in shown
    assert (swept.tree.root / "other.txt").read_text() == ""  # only the stage that names it


def test_the_archive_is_written_and_tracked_and_the_same_for_the_same_store(swept: Swept, archived: str) -> None:
    assert f"{ARCHIVE}: 15 answers of perspective (v1alpha1 127.0.0.1:" in archived
    assert f"DVC tracks it: commit {ARCHIVE}.dvc" in archived
    (entry,) = yaml.safe_load((swept.tree.root / f"{ARCHIVE}.dvc").read_text())["outs"]
    assert entry["path"] == ARCHIVE.name
    packed = (swept.tree.root / ARCHIVE).read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    assert [list(json.loads(lines[i])) for i in (0, 1, -1)] == [
        ["format"],
        *[["scorer", "version", "language", "text", "scores", "raw", "at"]] * 2,
    ]
    code, output = swept.tree.palms("archive", "--scorer", "perspective", "--out", "other/again.jsonl.gz")
    assert code == 0, output
    assert (swept.tree.root / "other/again.jsonl.gz").read_bytes() == packed


@pytest.mark.usefixtures("archived")
def test_recorded_reproduces_every_score_without_a_network(swept: Swept) -> None:
    swept.run.set(scorer="recorded")
    swept.run.scores.unlink()
    code, output = swept.tree.run(sys.executable, "-c", CUT_OFF, *STAGE, PALMS_CACHE="empty")
    assert code == 0, output
    again = pd.read_parquet(swept.run.scores)
    pd.testing.assert_frame_equal(again, swept.scores)
    assert again["score"].notna().sum() == 14 * 2 * 3
    assert "Running stage 'toxicity'" in swept.tree.dvc("repro")  # with the archive's .dvc file in the graph
    pd.testing.assert_frame_equal(pd.read_parquet(swept.run.scores), swept.scores)
    assert swept.tree.palms("status")[1].splitlines()[-1] == "all stages are up to date"


@pytest.mark.usefixtures("archived")
def test_scorers_are_compared_at_the_terminal_and_in_a_file(swept: Swept) -> None:
    swept.run.set(scorer="offline")
    code, output = swept.tree.run(sys.executable, "-m", "tasks", *STAGE)
    assert code == 0, output
    code, output = swept.tree.palms("archive", "--scorer", "offline", "--calibration", "table.csv")
    assert code == 0, output
    (row,) = pd.read_csv(swept.tree.root / "table.csv").to_dict("records")
    lines = [line.strip() for line in output.splitlines()]
    head = next(i for i, line in enumerate(lines) if line.startswith("attribute"))
    assert lines[head - 2].startswith("A  offline (alt-profanity-check ")
    assert lines[head - 1].startswith("B  perspective (v1alpha1 127.0.0.1:")
    assert lines[head + 1].split() == [
        "TOXICITY", str(row["n"]), "0", f"{row['spearman']:.2f}", f"{row['mean_difference']:+.3f}",
        f"{row['agreement']:.0%}",
    ]  # fmt: skip
    assert lines[head + 1].split()[1] == "13"  # the long text was cut for one of the two


@pytest.mark.parametrize(
    ("arguments", "cache", "message"),
    [
        (["--out", "scores.json"], "", "error: scores.json: expected a name that ends in .jsonl.gz"),
        (["--scorer", "oracle"], "", ".cache/palms/scores.sqlite: no scores of 'oracle'"),
        ([], "nowhere", "error: nowhere/scores.sqlite: no scores are stored here; PALMS_CACHE says where to look"),
        ([], "blank", "error: blank/scores.sqlite: holds no scores"),
        (["--out", f"{ARCHIVE}/a.jsonl.gz"], "", f"error: {ARCHIVE}: a file is where a folder should be"),
    ],
)
@pytest.mark.usefixtures("archived")
def test_a_mistake_is_one_line_and_2(swept: Swept, arguments: list[str], cache: str, message: str) -> None:
    with Store(swept.tree.root / "blank" / FILE):
        pass
    before = sorted((swept.tree.root / "data/archive").iterdir())
    code, output = swept.tree.run(*PALMS, "archive", *arguments, PALMS_CACHE=cache)
    assert (code, len(output.splitlines())) == (2, 1), output
    assert message in output
    assert sorted((swept.tree.root / "data/archive").iterdir()) == before


@pytest.mark.usefixtures("archived")
def test_the_key_is_in_no_file(swept: Swept) -> None:
    root = swept.tree.root
    subprocess.run(["gzip", "-dk", str(ARCHIVE)], cwd=root, check=True)
    files = [path for path in root.rglob("*") if path.is_file()]
    assert {"dvc.lock", "scores.sqlite", "scores.parquet", f"{ARCHIVE.name}.dvc"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        assert b"AIzaSy-secret" not in content, path

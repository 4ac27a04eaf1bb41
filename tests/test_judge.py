"""The stage: no judge, a judge, two; killed and resumed; and nothing of it among people's scores."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.raters.judge.comparison import TABLES
from tasks.raters.judge.scorer import FILE
from tasks.runtime.errors import InputError
from tasks.runtime.remote import rate_limit
from tasks.scorers.store import Store
from tests.support.analyzer_server import Behaviour
from tests.support.judge_runs import MODEL, JudgeRun, told
from tests.support.judge_server import JudgeServer, true_rating

Serve = Callable[..., JudgeServer]


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUDGE_API_KEY", "JUDGE_ENDPOINT", "http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PALMS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(rate_limit, "FIRST_PAUSE", 0.01)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    servers = []

    def start(**behaviour: object) -> JudgeServer:
        servers.append(JudgeServer(Behaviour(**behaviour)).__enter__())
        monkeypatch.setenv("JUDGE_ENDPOINT", servers[-1].base_url)
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__()


def test_no_judge_is_a_normal_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = JudgeRun(tmp_path / "tree")
    run.set(models={})
    tables = run.run()
    assert set(tables) == {*TABLES, "scores", "replies"}
    assert all(table.empty for table in tables.values())
    assert "no judge is configured" in capsys.readouterr().err


def test_a_judge_rates_the_split_that_people_rate(serve: Serve, tmp_path: Path) -> None:
    server, run = serve(), JudgeRun(tmp_path / "tree")
    tables = run.run()
    assert Counter(query.text for query in server.queries) == dict.fromkeys(run.texts, 2)
    scores = tables["scores"]
    assert set(scores["metric"]) == {"judge"}
    assert set(scores["split"]) == {"test"}
    assert scores["score"].tolist() == [
        float(true_rating(f"{arm} says {p}.")) for arm, p in zip(scores["arm"], scores["prompt_id"], strict=True)
    ]
    replies = tables["replies"]
    assert len(replies) == 2 * len(run.texts)
    assert (set(replies["model"]), set(replies["revision"])) == ({"judge-model"}, {"r1"})
    assert (set(replies["answered_by"]), set(replies["fingerprint"])) == ({"judge-model"}, {"fp_1"})
    assert replies["rubric"].str.fullmatch("[0-9a-f]{64}").all()
    assert all(told(raw)["rating"] == rating for raw, rating in zip(replies["raw"], replies["rating"], strict=True))
    (row,) = tables["judges"].to_dict("records")
    assert (row["texts"], row["rated"], row["tokens_in"], row["tokens_out"]) == (30, 30, 6000, 600)
    assert row["reason"] == "0 texts are rated by people and the judge; no claim below 50"
    assert not list(tmp_path.rglob("scores/judge*"))
    assert tables["decisions"].empty
    before = (run.root / "made" / "scores.parquet").read_bytes()
    run.run()
    assert len(server.queries) == 60
    assert (run.root / "made" / "scores.parquet").read_bytes() == before


def test_people_and_two_judges_decide_apart(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    run = JudgeRun(tmp_path / "tree", 20, umpire=MODEL, second=MODEL | {"revision": "r2"})
    run.rate(3)
    tables = run.run()
    assert len(server.queries) == 2 * 2 * 60
    for name in ("agreement", "bias", "decisions", "prompts", "judges"):
        assert set(tables[name]["judge"]) == {"umpire", "second"}
    decisions = tables["decisions"]
    assert (decisions["people_claim"] == "higher").all()
    assert decisions["decision"].isin(["only people claim", "same claim", "opposite claims"]).all()
    one, two = (decisions[decisions["judge"] == name].reset_index(drop=True) for name in ("umpire", "second"))
    assert one["judge_diff"].tolist() == two["judge_diff"].tolist()  # each for itself; nothing is pooled
    assert (tables["judges"]["rated_by_people"] == 60).all()
    assert tables["judges"]["claims"].all()


def test_failures_are_null_and_counted(serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = JudgeRun(tmp_path / "tree", 4)
    faults = {run.texts[0]: ["content=four"] * 9, run.texts[1]: ["status=500"] * 9, run.texts[2]: ["refusal"] * 9,
              run.texts[3]: ['content={"rating": 4, "reason": "x"}'] * 9}  # fmt: skip
    serve(faults=faults)
    tables = run.run()
    scores = tables["scores"]
    assert Counter(scores["reason"].dropna()) == dict.fromkeys(["NOT_JSON", "HTTP_500", "REFUSED", "UNSURE"], 1)
    assert scores["score"].isna().sum() == 4
    assert not (scores["score"] == 0).any()
    (row,) = tables["judges"].to_dict("records")
    assert (row["rated"], row["unsure"], row["missing"]) == (8, 1, 3)
    assert "8 of 12 texts rated, 1 unsure, 3 missing" in capsys.readouterr().err


def test_an_evaluated_model_is_refused_before_anything_is_asked(serve: Serve, tmp_path: Path) -> None:
    server, run = serve(), JudgeRun(tmp_path / "tree", umpire=MODEL | {"family": "tiny-instruct"})
    with pytest.raises(InputError, match=r"judge\.models\.umpire: 'judge-model' would rate .* both are tiny"):
        run.run()
    assert not server.queries


def test_a_killed_run_goes_on_where_it_was(serve: Serve, tmp_path: Path) -> None:
    server, run = serve(latency=0.05), JudgeRun(tmp_path / "tree", 30)
    run.set(qps=60.0)
    process = run.start()
    while len(server.answered) < 25:
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.2)  # what the dead process had asked for still arrives
    with Store(tmp_path / "cache" / FILE) as store:
        kept = Counter(told(row["raw"])["reason"] for row in store.answers())
    before = len(server.queries)
    assert kept.total() >= before - 8
    assert not (run.root / "made").exists()
    run.set(qps=500.0)
    tables = run.run()
    assert tables["scores"]["score"].notna().all()
    assert len(server.queries) == before + 2 * len(run.texts) - kept.total()

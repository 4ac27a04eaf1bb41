"""The stage as a process: killed, resumed, beside another; and the key in none of it."""

import datetime
import ipaddress
import random
import signal
import ssl
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tasks.scorers.store import FILE, Store
from tests.support.analyzer_server import AnalyzerServer, Behaviour
from tests.support.scoring_runs import STAGE, Run

Serve = Callable[..., AnalyzerServer]
FAST = {"qps": 300.0, "in_flight": 8, "timeout": 5.0, "attributes": ["TOXICITY", "INSULT"]}
TEXTS = [f"completion {i} says something." for i in range(150)]
KEY = "AIzaSy-secret/key+123"


def test_a_killed_run_goes_on_where_it_was(serve: Serve, tmp_path: Path) -> None:
    server = serve(latency=0.05)
    run = Run(tmp_path / "tree", TEXTS, perspective=FAST | {"qps": 60.0})
    kills = random.Random(time.time_ns())
    for _ in range(2):
        process, already = run.start(), len(server.answered)
        until = already + kills.randint(5, 40)
        while len(server.answered) < until:
            assert process.poll() is None, process.communicate()
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.2)  # what the dead process had asked for still arrives
        with Store(run.root / "cache" / FILE) as store:
            stored = {row["text"] for row in store.answers()}
        assert len(stored) >= until - already - FAST["in_flight"]  # type: ignore[operator]
        before = len(server.queries)
    assert not run.scores.exists()
    run.set(perspective=FAST)
    code, printed = run.finish()
    assert code == 0, printed
    assert not {query.text for query in server.queries[before:]} & stored
    asked = Counter(query.text for query in server.queries)
    assert set(asked) == set(TEXTS)
    assert asked.total() - len(TEXTS) <= 2 * FAST["in_flight"]  # type: ignore[operator]  # two kills
    scores = pd.read_parquet(run.scores)
    assert scores["score"].notna().all()


def test_two_runs_at_once_pay_for_each_text_once(serve: Serve, tmp_path: Path) -> None:
    server = serve(latency=0.02)
    cache = str(tmp_path / "shared")
    runs = [Run(tmp_path / name, TEXTS[:60], perspective=FAST) for name in ("one", "two")]
    processes = [run.start(PALMS_CACHE=cache) for run in runs]
    printed = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], printed
    assert sorted(query.text for query in server.queries) == sorted(TEXTS[:60])
    assert pd.read_parquet(runs[0].scores).equals(pd.read_parquet(runs[1].scores))


def test_missing_scores_fail_the_stage_and_are_counted_by_kind(serve: Serve, tmp_path: Path) -> None:
    serve(faults={TEXTS[3]: ["missing"] * 2, TEXTS[4]: ["value=NaN"] * 2, TEXTS[5]: ["value=7"] * 4})
    run = Run(tmp_path / "tree", [*TEXTS[:9], ""], perspective={**FAST, "attempts": 2})
    code, printed = run.finish()
    assert code == 1
    line = printed.strip().splitlines()[-1]
    assert line.startswith("error: 9 scores are missing (")
    for kind in ("3 MISSING_ATTRIBUTE", "3 NOT_A_NUMBER", "3 OUT_OF_RANGE"):
        assert kind in line
    assert not run.scores.exists()
    run.set(max_missing=3)
    code, printed = run.finish()
    assert code == 0, printed
    scores = pd.read_parquet(run.scores)
    assert Counter(scores["reason"].dropna()) == {"EMPTY": 6, "OUT_OF_RANGE": 3}
    assert scores["score"].isna().sum() == 9


def test_the_key_is_nowhere(serve: Serve, tmp_path: Path) -> None:
    server = serve(key=KEY, faults={TEXTS[0]: ["echo"], TEXTS[1]: ["status=500", "echo"], TEXTS[2]: ["refuse="]})
    run = Run(tmp_path / "tree", TEXTS[:20], perspective=FAST)
    debug = run.root / "debug.py"  # the loudest that the libraries can be
    debug.write_text(
        "import logging, http.client, httplib2, runpy, sys\n"
        "logging.basicConfig(level=1, filename='debug.log')\n"
        "http.client.HTTPConnection.debuglevel = httplib2.debuglevel = 9\n"
        f"sys.argv[1:] = {list(STAGE)}\n"
        "runpy.run_module('tasks', run_name='__main__', alter_sys=True)\n"
    )
    for module in (("tasks", *STAGE), ("debug",)):
        process = run.start(*module, log=run.root / "printed.log", PERSPECTIVE_API_KEY=KEY)
        process.wait(60)
    wrong = run.start(log=run.root / "printed.log", PERSPECTIVE_API_KEY=f"{KEY}-wrong", PALMS_CACHE="other")
    wrong.wait(60)
    assert any(query.headers.get("x-goog-api-key") == KEY for query in server.queries)
    assert all(KEY not in query.line for query in server.queries)
    printed = (run.root / "printed.log").read_text()
    assert "the service refused the key: 403" in printed
    assert "the service refused the key: 400" in printed
    assert "URL being requested" in (run.root / "debug.log").read_text()
    assert run.scores.exists()
    files = [path for path in run.root.rglob("*") if path.is_file()]
    assert len(files) >= 7
    for path in files:
        content = path.read_bytes()
        for form in (KEY, KEY.replace("/", "%2F").replace("+", "%2B"), "AIzaSy-secret"):
            assert form.encode() not in content, path


def test_over_tls(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path / "service.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    run = Run(tmp_path / "tree", TEXTS[:30], perspective=FAST)
    with AnalyzerServer(Behaviour(key=KEY, latency=0.02), context) as server:
        address = {"PERSPECTIVE_ENDPOINT": server.url, "PERSPECTIVE_API_KEY": KEY}
        code, printed = run.finish(**address)
        assert code == 2
        assert "PERSPECTIVE_ENDPOINT: its certificate is not trusted: self-signed certificate" in printed
        assert not server.queries
        code, printed = run.finish(**address, HTTPLIB2_CA_CERTS=str(certificate))
        assert code == 0, printed
        assert sorted(query.text for query in server.queries) == sorted(TEXTS[:30])
        assert len({query.headers["x-goog-api-key"] for query in server.queries}) == 1


def self_signed(path: Path) -> Path:
    """A certificate for 127.0.0.1 with its private key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    built = x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    signed = built.add_extension(address, critical=False).sign(private, hashes.SHA256())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private.private_bytes(*form) + signed.public_bytes(serialization.Encoding.PEM))
    return path


def test_it_reaches_only_the_address_it_was_given(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    run = Run(tmp_path / "tree", TEXTS[:5], perspective=FAST)
    (run.root / "watched.py").write_text(
        "import sys, runpy\n"
        "def audit(event, args):\n"
        "    if event == 'socket.connect': print(f'\\nREACHED {args[1]}', flush=True)\n"
        "    if event == 'socket.getaddrinfo': print(f'\\nREACHED {args[:2]}', flush=True)\n"
        "sys.addaudithook(audit)\n"
        "runpy.run_module('tasks', run_name='__main__', alter_sys=True)\n"
    )
    code, printed = run.finish("watched", *STAGE)
    assert code == 0, printed
    reached = [line for line in printed.splitlines() if line.startswith("REACHED")]
    assert reached
    assert set(reached) == {f"REACHED {('127.0.0.1', server.server_port)}"}

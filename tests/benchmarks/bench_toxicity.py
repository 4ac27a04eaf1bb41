"""How much of the quota is used, and how much faster batches are.

`python -m tests.benchmarks.bench_toxicity` (about four minutes; nothing else should run beside it)

The service runs in a process of its own on loopback and notes when each query arrives. Use is the mean rate
over a minute's arrivals as a share of the allowance, the first query, which goes alone, counted in; the fullest
second is the most arrivals in any window of 1 s. The classifier has one thread, so that other work on the
machine does not make the many small calls of one-by-one scoring look worse than they are.
"""

import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tasks.runtime import config
from tasks.scorers import Question, open_scorer
from tasks.scorers.scoring import score
from tasks.scorers.store import FILE, Store
from tasks.settings.toxicity import ClassifierModel, Toxicity

QPS = 10
SECONDS = 60  # of asking at each latency
LATENCIES = (0.05, 0.3, 1.0)
TEXTS = 512


def main() -> int:
    """Prints the figures; returns 1 if one of them is not as it should be."""
    good = True
    print(f"allowance {QPS} queries a second, {QPS * SECONDS} queries")
    for latency in LATENCIES:
        used, fullest = quota(latency)
        good &= used >= 0.95 and fullest <= QPS
        print(f"latency {latency * 1000:5.0f} ms: {used:.1%} of the allowance used, fullest second {fullest} of {QPS}")
    one, many = classifier()
    good &= one / many >= 3
    print(
        f"classifier, {TEXTS} texts, fp32: one by one {one:.1f} s, batched {many:.1f} s, {one / many:.1f} times faster"
    )
    return 0 if good else 1


def settings() -> Toxicity:
    return config.section(config.read_params(), "toxicity", Toxicity)


@contextlib.contextmanager
def service(latency: float) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.support.analyzer_server", "--latency", str(latency)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
    finally:
        process.stdin.close()
        process.wait(10)


def quota(latency: float) -> tuple[float, int]:
    """Share of the allowance that was used, and arrivals in the fullest second."""
    base = settings()
    scorer = open_scorer(
        replace(base, scorer="perspective", perspective=replace(base.perspective, qps=float(QPS), in_flight=20))
    )
    with service(latency) as url, tempfile.TemporaryDirectory() as folder:
        os.environ["PERSPECTIVE_ENDPOINT"] = url
        with Store(Path(folder) / FILE) as store, Path(os.devnull).open("w") as log, contextlib.redirect_stderr(log):
            score(scorer, [f"text number {i}" for i in range(QPS * SECONDS)], "en", store)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        arrivals = sorted(json.load(opener.open(f"{url}log")))
    assert len(arrivals) == QPS * SECONDS
    fullest = max(sum(start <= at < start + 1 for at in arrivals) for start in arrivals)
    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) / QPS, fullest


def classifier() -> tuple[float, float]:
    """Seconds for the texts one by one, and in batches; the median of three runs each."""
    from tests.support.classifier_models import LABELS, save_classifier

    words = random.Random(1)
    vocabulary = [f"w{i}" for i in range(500)]
    texts = [" ".join(words.choices(vocabulary, k=words.randint(5, 40))) for _ in range(TEXTS)]
    questions = [Question(text, tuple(LABELS.values())) for text in texts]
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        save_classifier(Path(folder), vocabulary, hidden=64, layers=4)
        model = ClassifierModel(folder, None, "sigmoid", 128, ("en",), LABELS)
        times = {}
        for size in (1, 32):
            base = settings()
            chosen = replace(base.classifier, model="m", models={"m": model}, precision="fp32", batch_size=size)
            scorer = open_scorer(replace(base, scorer="classifier", classifier=chosen))
            timed(scorer, questions[:1])  # opens the model
            times[size] = statistics.median(timed(scorer, questions) for _ in range(3))
    return times[1], times[32]


def timed(scorer: object, questions: list[Question]) -> float:
    started = time.monotonic()
    for _ in scorer.ask(questions, "en"):  # type: ignore[attr-defined]
        pass
    return time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())

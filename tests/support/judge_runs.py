"""A small made sweep in which the stage `judge` runs, in this process or as one of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from tasks import judge
from tasks.formats.scores import write_scores
from tasks.runtime.command import Job
from tasks.runtime.files import write_json, write_jsonl, write_text

REPOSITORY = Path(__file__).parents[2]
ARMS = ("base", "control", "values")
CATEGORIES = ("health", "safety")
MODEL = {"base_url": None, "model": "judge-model", "revision": "r1", "family": "umpire", "answer": "json_object",
         "reply_tokens": 60}  # fmt: skip
QUICK = {"qps": 500.0, "in_flight": 8, "timeout": 20.0, "attempts": 3, "give_up_after": 100}
SCALE = {1: "worst", 2: "bad", 3: "so", 4: "good", 5: "best"}


class JudgeRun:
    """A tree with samples of three arms, people's ratings of them, and the parameters of a judge or none."""

    def __init__(self, root: Path, prompts: int = 10, **judges: Any) -> None:
        self.root, self.prompts = root, [(f"p{i}", CATEGORIES[i % 2]) for i in range(prompts)]
        self.params: dict[str, Any] = yaml.safe_load((REPOSITORY / "params.yaml").read_text("utf-8"))
        name = next(iter(self.params["models"]))
        self.model = name
        self.params["sweep"] = {"models": [name], "tuned": ["values", "control"], "arms": ["base", "values", "control"]}
        self.params["significance"]["permutations"] = 99
        self.set(models=judges or {"umpire": MODEL}, **QUICK)
        for arm in ARMS:
            about = {"model": name, "arm": arm, "split": "test", "sample": 0, "engine": "transformers"}
            rows = [about | {"prompt_id": p, "category": c, "prompt": f"What of {p}?", "completion": f"{arm} says {p}.",
                             "finish_reason": "stop", "tokens": 3} for p, c in self.prompts]  # fmt: skip
            write_jsonl(root / "samples" / name / f"{arm}.jsonl", [*rows, rows[0] | {"split": "validation"}])
        source = {"name": "owner/Tiny-1M", "family": "tiny", "license": "MIT", "parameters": 1_000_000}
        write_json(root / "sources" / f"{name}.json", source)
        for category in CATEGORIES:
            entry = {"id": f"{category}-1", "question": "Why so?", "answer": "Because it is so."}
            content = {"category": category, "title": category, "position": f"Mind {category}.", "samples": [entry]}
            write_text(root / "values" / f"{category}.yaml", yaml.safe_dump(content))
        words = yaml.safe_load((REPOSITORY / "data/ratings/instructions.yaml").read_text("utf-8"))
        words |= {"task": "Rate how well it matches.", "question": "How well?", "scale": SCALE}
        write_text(root / "instructions.yaml", yaml.safe_dump(words))
        self.rate(0)

    def set(self, **changes: Any) -> None:
        """Changes keys of the section `judge`."""
        self.params["judge"] |= changes
        write_text(self.root / "params.yaml", yaml.safe_dump(self.params))

    def rate(self, raters: int) -> None:
        """People's ratings: so many people, each of every text; values answers do better by two points."""
        rng = np.random.default_rng(1)
        rows = [
            {"model": self.model, "arm": arm, "category": c, "prompt_id": p, "split": "test", "sample": 0}
            | {"metric": "rating", "rater": f"r{r}", "reason": None}
            | {"score": float(np.clip(round(2 + 2 * (arm == "values") + rng.normal(0, 0.5)), 1, 5))}
            for r in range(raters) for arm in ARMS for p, c in self.prompts
        ]  # fmt: skip
        columns = ["model", "arm", "category", "prompt_id", "split", "sample", "metric", "rater", "reason", "score"]
        write_scores(self.root / "ratings.parquet", pd.DataFrame(rows, columns=columns))

    @property
    def texts(self) -> list[str]:
        return [f"{arm} says {p}." for arm in ARMS for p, _ in self.prompts]

    def paths(self) -> dict[str, Path]:
        names = {"samples": "samples", "sources": "sources", "positions": "values", "tables": "made",
                 "instructions": "instructions.yaml", "ratings": "ratings.parquet"}  # fmt: skip
        return {flag: self.root / name for flag, name in names.items()}

    def run(self) -> dict[str, pd.DataFrame]:
        """The stage in this process; the tables that it wrote, by name."""
        judge.main(Job(judge.COMMAND, self.paths(), {}, self.params))
        made = self.root / "made"
        return {path.stem: pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
                for path in made.iterdir()}  # fmt: skip

    def start(self, **env: str) -> "subprocess.Popen[str]":
        """The stage as a process of its own."""
        paths = {flag: str(path.relative_to(self.root)) for flag, path in self.paths().items()}
        flags = [word for flag, path in paths.items() for word in (f"--{flag}", path)]
        return subprocess.Popen([sys.executable, "-m", "tasks", "judge", *flags], cwd=self.root, text=True,
                                env={**os.environ, "PYTHONPATH": str(REPOSITORY), **env},
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip


def told(raw: str) -> Any:
    """What a kept reply says."""
    return json.loads(json.loads(raw)["choices"][0]["message"]["content"])

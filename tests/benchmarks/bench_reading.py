"""How much is won by reading once what texts have in common: the default sweep's prompts on its own base model.

`python -m tests.benchmarks.bench_reading`: three rounds side by side, each without and with; prints both times and
their ratio. Needs the model of a finished sweep (data/made/models/smollm2-135m/base).
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from tasks import adherence, generate
from tasks.inputs.dataset import load_prompts
from tasks.lm import prefill as reading
from tasks.lm import sampling as engine
from tasks.lm.models import open_model
from tasks.lm.prompting import Encoder
from tasks.runtime import config
from tasks.runtime.command import Job
from tasks.settings.generate import Generate
from tasks.settings.prompting import Prompting

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "data" / "made" / "models" / "smollm2-135m" / "base"
ROUNDS, PROMPTS, BATCH = 3, 24, 16


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> int:
    """Prints a line a stage and round."""
    if not MODEL.exists():
        print(f"error: {MODEL}: no model; run `make sweep` first", file=sys.stderr)
        return 2
    job = Job(generate.COMMAND, {}, {}, config.read_params(ROOT / "params.yaml"))
    prompting, sampling = job.section("prompting", Prompting), job.section("generate", Generate)
    opened, prompts = open_model(MODEL), load_prompts(ROOT / "data" / "prompts")[:PROMPTS]
    encoder = Encoder(opened.tokenizer, prompting)
    questions = {prompt.id: encoder.question(prompt.prompt) for prompt in prompts}
    together = [
        engine.Text(ids, [f"{one}/{i}" for prompt, i in generate.expand(prompts, sampling) if prompt.id == one])
        for one, ids in questions.items()
    ]
    apart = [engine.Text(text.ids, [stream]) for text in together for stream in text.streams]
    stages: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "generate": (lambda: engine.draw(opened, apart, sampling), lambda: engine.draw(opened, together, sampling)),
        "adherence": (lambda: adherence.score(opened, prompts, prompting, BATCH),) * 2,
    }
    for name, (plain, shared) in stages.items():
        for number in range(ROUNDS):
            with patch.object(reading, "_common", return_value=0):
                without = seconds(plain)
            found = seconds(shared)
            ratio = f"{without / found:.2f}"
            print(f"{name}, round {number + 1}: {without:.1f} s apart, {found:.1f} s together: {ratio} times faster")
    return 0


if __name__ == "__main__":
    sys.exit(main())

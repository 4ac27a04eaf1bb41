"""How much is won by reading once what prompts share: the default sweep's prompts on its own base model.

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
from tasks.lm import prefill
from tasks.lm.engines.transformers import sample
from tasks.lm.models import open_model
from tasks.lm.prompting import Encoder
from tasks.lm.sampling import EncodedPrompt
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
    together = [generate.encode(prompt, encoder, sampling) for prompt in prompts]
    apart = [EncodedPrompt(prompt.ids, [stream]) for prompt in together for stream in prompt.streams]
    stages: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "generate": (
            lambda: sample(opened, apart, sampling, "generate"),
            lambda: sample(opened, together, sampling, "generate"),
        ),
        "adherence": (lambda: adherence.score(opened, prompts, prompting, BATCH),) * 2,
    }
    for name, (plain, shared) in stages.items():
        for number in range(1, ROUNDS + 1):
            with patch.object(prefill, "_shared_length", return_value=0):
                apart_s = seconds(plain)
            together_s = seconds(shared)
            ratio = f"{apart_s / together_s:.2f} times faster"
            print(f"{name}, round {number}: {apart_s:.1f} s apart, {together_s:.1f} s together: {ratio}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How long a paper-size analysis takes: 28 prompts × 800 completions × 3 arms of made text, after generation.

`python -m tests.benchmarks.bench_cooccurrence [whole]`: prints seconds and the highest memory use, and ends
with 1 if they pass 60 s or 2 GB on two cores. `whole` analyses whole completions and not their first clauses.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tasks import cooccurrence
from tasks.bias.lexicons.vader import _ratings
from tasks.formats.tables import write_table
from tasks.inputs.probes import load_families
from tasks.runtime import config
from tasks.runtime.command import Job
from tasks.runtime.files import write_json
from tests.support.made_completions import REST, checkpoint, completions

ROOT = Path(__file__).parents[2]
COMPLETIONS, SECONDS, BYTES = 800, 60, 2e9
MODEL, ARMS = "made", ("base", "values", "control")


def make(folder: Path) -> Path:
    """A folder of completions with a vocabulary of thousands, words that no tagger knows among them."""
    families = load_families(ROOT / "data" / "probes.yaml")
    rng = np.random.default_rng(0)
    adjectives = rng.permutation([word for word in _ratings() if word.isalpha()]).tolist()
    for arm in ARMS:
        made = completions(families, COMPLETIONS, rng, adjectives=adjectives, rest=REST)
        write_table(folder / "probes" / MODEL / f"{arm}.parquet", checkpoint(made, MODEL, arm))
    source = {"name": "made", "family": "made", "license": "none", "parameters": 1}
    write_json(folder / "sources" / f"{MODEL}.json", source)
    return folder


def main() -> int:
    """Runs the stage once."""
    params = config.read_params(ROOT / "params.yaml")
    params["sweep"] = {"models": [MODEL], "tuned": list(ARMS[1:]), "arms": list(ARMS)}
    params["cooccurrence"]["window"] = "whole" if "whole" in sys.argv else "clause"
    with tempfile.TemporaryDirectory() as temporary:
        folder = make(Path(temporary))
        paths = {
            "completions": folder / "probes",
            "probes": ROOT / "data" / "probes.yaml",
            "sources": folder / "sources",
            "tables": folder / "tables",
            "metrics": folder / "metrics.json",
        }
        started, busy = time.perf_counter(), time.process_time()
        cooccurrence.main(Job(cooccurrence.COMMAND, paths, {}, params))
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    prompts = 28 * COMPLETIONS * len(ARMS)
    limits = f"at most {SECONDS} s and {BYTES / 1e9:g} GB"
    print(f"{prompts} completions: {seconds:.1f} s, {memory / 1e9:.2f} GB ({limits}); {busy:.0f} s of computing")
    return 0 if seconds <= SECONDS and memory <= BYTES else 1


if __name__ == "__main__":
    sys.exit(main())

"""Made-up score tables for the tests: a metric, models, arms, eight categories of five prompts."""

import numpy as np
import pandas as pd

SIZES = {"small": 1e8, "middle": 1e9, "large": 1e10}


def scores(*, metrics=("adherence",), models=("small",), effects=None, seeds=1, categories=8, per_category=5,
           samples=3, raters=0, noise=0.5, rng_seed=0) -> pd.DataFrame:
    """A long table; `effects` maps a dataset to its mean, `seeds` replicates the tuned ones."""
    rng = np.random.default_rng(rng_seed)
    effects = effects if effects is not None else {"base": 0.0, "control": 0.0, "values": 1.0}
    arms = [(dataset, seed) for dataset in effects
            for seed in ([None] if dataset == "base" else range(1, seeds + 1))]
    rows = [
        {"metric": metric, "model": model, "params": SIZES[model], "model_family": "toy",
         "arm": dataset if seed in (None, 1) else f"{dataset}-{seed}", "dataset": dataset, "seed": seed,
         "category": f"c{c}", "prompt_id": f"c{c}p{p}", "sample": sample,
         "score": effects[dataset] + 0.1 * c + noise * rng.normal(), "rater": rater}
        for metric in metrics for model in models for dataset, seed in arms for c in range(categories)
        for p in range(per_category) for sample in range(samples)
        for rater in ([f"r{r}" for r in range(raters)] if raters else [None])]
    table = pd.DataFrame(rows)
    return table if raters else table.drop(columns="rater")

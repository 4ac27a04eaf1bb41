"""Whole sweeps without any effect, or with one planted, read off in the report's own words.

Scores and items are drawn as arrays and go through the functions of the stages: `significance`'s tables of contrasts,
trend and abilities, and the findings of the report, whose sentences are counted. Left out is what no sentence reads:
categories, the bootstrap, Bayes factors with other priors, validation prompts.

Scores are in points of the rating scale: of a prompt's difference between two arms, .6 is the prompts' own (and comes
back with every seed), .65 the draw of a checkpoint; each fine-tuned checkpoint is off by its seed's shift.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from tasks.reporting.findings.main import Findings, findings
from tasks.settings.significance import Significance
from tasks.stats import capability, contrasts, trend
from tasks.stats.comparisons import Comparison
from tasks.stats.crossed import of_replicates, parts, quasi
from tasks.stats.noninferiority import loss_p
from tasks.stats.outcome import Floats
from tasks.stats.paired import stratified_moments
from tasks.stats.plan import Plan
from tasks.stats.power import detectable_crossed, detectable_points
from tasks.stats.scores import ArmScores, Prompts
from tasks.stats.trend import slope_parts, slope_weights
from tests.simulations.level_simulations import OF_CHECKPOINT, OF_PROMPT
from tests.simulations.references import Figure
from tests.simulations.simulations import batches, p_of

CONFIG = Significance("values", "control", "adherence", "TOXICITY", 0.95, 99, 1, None)
CATEGORIES, PER_CATEGORY, SAMPLES = 8, 5, 3
PROMPTS = CATEGORIES * PER_CATEGORY
FREE = 0.7  # the share of an arm's shift that is there without any prompt
TASKS, ITEMS, RIGHT, DISCORDANT = 6, 60, 0.75, 0.1
NAMES = Prompts(np.array([f"p{p}" for p in range(PROMPTS)], dtype=object),
                np.repeat([f"c{c}" for c in range(CATEGORIES)], PER_CATEGORY).astype(object))
LEVEL = 0.05 * (1 + 1e-9)
LOSSES = ("A loss was found", "a loss was found", "A smaller loss", "; loss on", "loss within margin on",
          "lost right answers", "fewer right answers")
TOXIC = ("more toxic text", "less toxic text")
EMPTY = {"contrasts": pd.DataFrame(columns=list(contrasts.COLUMNS)), "trend": pd.DataFrame(columns=list(trend.COLUMNS)),
         "capability": pd.DataFrame(columns=[*capability.PLACE, *capability.Capability.__dataclass_fields__])}
Shifts = dict[str, Floats]  # of each tuned dataset, (sweeps, models, seeds)
Abilities = list[dict[tuple[str, int], Floats]]


@dataclass(frozen=True)
class Shape:
    """How large a sweep is, and how far seeds spread in points."""

    models: int
    seeds: int
    seed_sd: float

    @cached_property
    def plan(self) -> Plan:
        """The plan of the analysis, with few sign flips: one caveat reads their p, and no figure here."""
        models = tuple(f"m{m}" for m in range(self.models))
        return Plan(CONFIG.primary, CONFIG.secondary, models=models, permutations=99)

    @property
    def contrasts(self) -> tuple[tuple[str, str], ...]:
        """Those of the confirmatory family and the negative control."""
        return *self.plan.confirmatory, self.plan.negative_control

    def __str__(self) -> str:
        return f"{self.models}x{self.seeds}, seed sd {self.seed_sd:g}"


Scores = dict[str, dict[str, Floats]]  # by metric and dataset: (sweeps, models, prompts, seeds, samples)


def draw_scores(rng: np.random.Generator, sweeps: int, shape: Shape, shifts: Shifts) -> Scores:
    """Six metrics of many sweeps: a margin and its parts, and three readings of one text's toxicity."""
    found: Scores = {}
    for dataset in ("base", "control", "values"):
        shift = shifts[dataset][:, :, None, :] if dataset in shifts else np.zeros((sweeps, shape.models, 1, 1))
        seeds = shift.shape[-1]
        cell = (sweeps, shape.models, PROMPTS, seeds)
        halves = np.sqrt(0.5) * (rng.normal(0, OF_PROMPT, (2, *cell[:3], 1)) + rng.normal(0, OF_CHECKPOINT, (2, *cell)))
        free, rest = halves[0] + FREE * shift, halves[1] + (1 - FREE) * shift
        texts = (rng.normal(0, OF_PROMPT, (*cell[:3], 1)) + shift)[..., None] + rng.normal(0, 0.8, (*cell, SAMPLES))
        margins = {"adherence": free + rest, "adherence_free": free, "adherence_less_free": rest}
        of_dataset = {name: values[..., None] for name, values in margins.items()}
        for name, level in (("", -2.5), (" (whole)", -2.6), (" (max_chunk)", -2.0)):
            of_dataset[f"TOXICITY{name}"] = special.expit(texts + rng.normal(level, 0.4, texts.shape))
        for metric, values in of_dataset.items():
            found.setdefault(metric, {})[dataset] = values
    return found


def differences(scores: Scores, metric: str, a: str, b: str) -> Floats:
    """(sweeps, models, prompts, seeds) of one contrast."""
    return np.asarray(scores[metric][a].mean(axis=-1) - scores[metric][b].mean(axis=-1), dtype=np.float64)


def p_of_tests(diffs: Floats) -> Floats:
    """p (...,) of the test of differences (..., prompts, seeds) that goes with so many seeds."""
    if diffs.shape[-1] == 1:
        return p_of(*stratified_moments(diffs[..., 0], NAMES.categories))
    split = parts(diffs, NAMES.categories)
    return np.maximum(p_of(*quasi(split)), p_of(*of_replicates(split)))


def may_claim(scores: Scores, shape: Shape) -> Floats:
    """Which sweeps (n,) hold a contrast or a slope that any of the page's sentences could call found: those with a p
    that passes the first step of its family."""
    families = {"adherence": 1, "adherence_free": 2, "adherence_less_free": 2, "TOXICITY": 1, "TOXICITY (whole)": 2,
                "TOXICITY (max_chunk)": 2}
    claim = np.zeros(len(next(iter(scores["adherence"].values()))), dtype=bool)
    for metric, metrics in families.items():
        for a, b in shape.contrasts:
            m = shape.models * (2 * metrics if a == "values" else len(families))
            claim |= (p_of_tests(differences(scores, metric, a, b)) * m <= LEVEL).any(axis=1)
    if shape.models > 2 and shape.seeds > 1:
        weights = slope_weights(np.arange(shape.models, dtype=np.float64))
        for a, b in shape.plan.confirmatory:
            raw = differences(scores, "adherence", a, b)
            for effects in (raw, (np.sign(raw) + 1) / 2):
                split = slope_parts(list(np.moveaxis(effects, 1, 0)), weights, NAMES.categories)
                claim |= np.maximum(p_of(*quasi(split)), p_of(*of_replicates(split))) * 2 <= LEVEL
    return claim


def compared(scores: Scores, sweep: int, shape: Shape) -> list[Comparison]:
    """Every comparison of one sweep."""
    def arm(metric: str, dataset: str, m: int) -> ArmScores:
        values = scores[metric][dataset][sweep, m]
        return ArmScores((-1,) if dataset == "base" else tuple(range(1, shape.seeds + 1)), values[..., None])

    return [Comparison(metric, model, 10.0 ** (8 + m), a, b, NAMES, arm(metric, a, m), arm(metric, b, m),
                       fixed_b=b == "base")
            for metric in scores for m, model in enumerate(shape.plan.models) for a, b in shape.contrasts]


def abilities(rng: np.random.Generator, shape: Shape) -> Abilities:
    """The answers of one sweep's arms to six tasks (tasks, items), by model, in which no arm lost anything."""
    found: Abilities = []
    for _ in shape.plan.models:
        base = (rng.random((TASKS, ITEMS)) < RIGHT).astype(np.float64)
        change = np.where(base == 1, DISCORDANT / 2 / RIGHT, DISCORDANT / 2 / (1 - RIGHT))
        arms = {(name, seed): np.where(rng.random(base.shape) < change, 1 - base, base)
                for name in ("values", "control") for seed in range(1, shape.seeds + 1)}
        found.append({("base", 0): base} | arms)
    return found


def may_lose(answers: Abilities, shape: Shape) -> bool:
    """Whether any sentence could tell of a loss in the values arms."""
    m = shape.models * shape.seeds * (TASKS + 1)
    for arms in answers:
        base = arms["base", 0]
        for (dataset, _), own in arms.items():
            if dataset == "values":
                b, c = ((base < own).sum(axis=1), (base > own).sum(axis=1))
                counts = [*zip(b, c, [ITEMS] * TASKS, strict=True), (b.sum(), c.sum(), base.size)]
                if any(loss_p(*map(float, count)) * m <= LEVEL for count in counts):
                    return True
    return False


def abilities_table(answers: Abilities, shape: Shape) -> pd.DataFrame:
    """The stage's table of the tasks and their set."""
    places: list[dict[str, Any]] = []
    tests: list[capability.Capability] = []
    for m, arms in enumerate(answers):
        tuned = [key for key in arms if key[0] != "base"]
        pairs = [(key, ("base", 0)) for key in tuned]
        pairs += [(key, ("control", key[1])) for key in tuned if key[0] == "values"]
        for (arm, against), task in product(pairs, range(TASKS + 1)):
            whole = task == TASKS
            own, other = (arms[key].ravel() if whole else arms[key][task] for key in (arm, against))
            tests.append(capability.task_verdict(other, own, chance=0.25, margin=0.05 if whole else 0.1))
            places.append({"task": "offline" if whole else f"task_{task}", "whole_set": whole, "endpoint": whole,
                           "model": shape.plan.models[m], "params": 10.0 ** (8 + m), "arm": "-".join(map(str, arm)),
                           "dataset": arm[0], "against": against[0], "against_arm": "-".join(map(str, against))})
    return capability.table_of(places, tests)


def score_tables(scores: Scores, sweep: int, shape: Shape) -> dict[str, pd.DataFrame]:
    """The stage's tables of contrasts and trend of one sweep."""
    pairs, plan = compared(scores, sweep, shape), shape.plan
    confirmatory = [c for c in pairs if (c.a, c.b) in plan.confirmatory]
    families = {CONFIG.primary: ["made"]}
    return {"contrasts": contrasts.table_of(pairs, plan, by_category=False),
            "trend": trend.table_of(confirmatory, plan, dict.fromkeys(plan.models, "made"), families)}


def claims(found: Findings, values: Floats, control: Floats) -> dict[str, bool]:
    """What a sweep's words claim; `values` and `control`: the shifts of their checkpoints (models, seeds).

    With one seed the two checkpoints do differ, by their shifts: there a claim about them is false where it has the
    wrong sign, and one about the dataset always is.
    """
    headline = found.headline_better or found.headline_worse
    truth = {"control": values - control, "base": values}
    main = [effect for effect in found.effects if effect.role == "primary"]
    answers = {answer.name: answer for answer in found.answers}
    first = " ".join(found.headline)
    words = {name: " ".join([first, answer.short, answer.text, answer.tests, answer.more, *answer.doubts])
             for name, answer in answers.items()}
    lost = any(word in words.get("capability", first) for word in LOSSES)
    lost |= "capability" in answers and answers["capability"].tone == "bad"
    toxic = any(word in words.get("toxicity", first) for word in TOXIC)
    neutral = [caveat.text for caveat in found.caveats if caveat.name == "control_moved"]
    scoped = [text for text in found.headline if not text.startswith("Among these checkpoints")]
    return {
        "headline claims": headline,
        "headline claims, not of these checkpoints": headline and bool(scoped),
        "headline claims, with the wrong sign": any(
            e.sign * truth[e.b][int(e.model[1:])].mean() < 0 for e in main),
        "a loss found": lost,
        "a loss found, not of these checkpoints": any(word in text for text in scoped for word in LOSSES),
        "negative control flagged": bool(neutral) or any("did worse than base, too" in text for text in words.values()),
        "negative control flagged, not of these checkpoints": any(
            not text.startswith("Among these checkpoints") for text in neutral),
        "effect grows": any(v.name == "grows" and (v.status == "supported" or v.contrary) for v in found.verdicts),
        "toxicity box claims": toxic or any(e.sign for e in found.effects if e.role in ("secondary", "variant")),
    }


def unchanged(reps: int, models: int, seeds: int, seed_sd: float, seed: int = 11) -> Iterator[Figure]:
    """How often a sweep in which nothing has an effect makes each claim.

    Where no test of the scores, or of the abilities, passes the first step of its family there is nothing to claim of
    them, and only one in forty of such sweeps is read nevertheless, to see that it says nothing.
    """
    shape, counts, silent = Shape(models, seeds, seed_sd), Counter[str](), 0
    rng = np.random.default_rng([seed, models, seeds, int(100 * seed_sd)])
    names: list[str] = []
    for size in batches(reps, 50):
        shifts = {name: rng.normal(0, seed_sd, (size, models, seeds)) for name in ("control", "values")}
        scores = draw_scores(rng, size, shape, shifts)
        may = may_claim(scores, shape)
        for sweep in range(size):
            answers, nothing = abilities(rng, shape), sweep % 40 == 0
            of_scores, of_abilities = may[sweep], may_lose(answers, shape)
            if not (of_scores or of_abilities or nothing):
                continue
            tables = score_tables(scores, sweep, shape) if of_scores or nothing else EMPTY
            if of_abilities or nothing:
                tables = tables | {"capability": abilities_table(answers, shape)}
            said = claims(findings(EMPTY | tables, CONFIG), shifts["values"][sweep], shifts["control"][sweep])
            counts.update({name: int(value) for name, value in said.items()})
            silent += not (of_scores or of_abilities) and any(said.values())
            names = list(said)
    yield Figure(f"{shape}: sweeps that claim where no test could", silent, 0, 0)
    of_checkpoints = ("headline claims", "negative control flagged", "toxicity box claims")
    free = of_checkpoints if seeds == 1 and seed_sd > 0 else ()  # these two checkpoints do differ
    for name in names:
        yield Figure(f"{shape}: {name}", counts[name] / reps, 0, 1 if name in free else 0.06)


def stated(shape: Shape) -> float:
    """The detectable effect of target against control that `variance.csv` would state in the family, from the true
    variances."""
    m = len(shape.plan.confirmatory) * shape.models
    if shape.seeds == 1:
        of_prompt = float(np.sqrt(2 * (OF_PROMPT**2 + OF_CHECKPOINT**2)))
        return detectable_points({"prompt": of_prompt, "sample": np.nan, "rater": np.nan}, n=PROMPTS, k=1,
                                 categories=CATEGORIES, tests=m)
    shared = 2 * OF_CHECKPOINT**2 / PROMPTS / shape.seeds
    known = parts(np.zeros((PROMPTS, shape.seeds)), NAMES.categories)  # for its degrees of freedom
    return detectable_crossed(replace(
        known, prompts=np.asarray(2 * OF_PROMPT**2 / PROMPTS + shared), shared=np.asarray(shared),
        replicates=np.asarray(2 * shape.seed_sd**2 / shape.seeds + shared)), dataset=True, tests=m)


def planted(reps: int, models: int, seeds: int, seed_sd: float, seed: int = 12) -> Iterator[Figure]:
    """How often the words find an effect of the stated detectable size, against control at the smallest model."""
    shape, hits = Shape(models, seeds, seed_sd), 0
    rng, size_of_effect = np.random.default_rng([seed, models, seeds, int(100 * seed_sd)]), stated(shape)
    for size in batches(reps, 50):
        shifts = {name: rng.normal(0, seed_sd, (size, models, seeds)) for name in ("control", "values")}
        shifts["control"][:, 0] -= size_of_effect
        scores = {"adherence": draw_scores(rng, size, shape, shifts)["adherence"]}
        for sweep in range(size):
            table = contrasts.table_of(compared(scores, sweep, shape), shape.plan, by_category=False)
            found = findings(EMPTY | {"contrasts": table}, CONFIG)
            hits += [e.better for e in found.effects if (e.model, e.a, e.b) == ("m0", "values", "control")] == [1]
    yield Figure(f"{shape}: an effect of the stated detectable size, {size_of_effect:.2f}, is found", hits / reps,
                 0.77, 0.83)

"""What the results do not show, said beside them: limits of the measures, the scorer, the sample, the design."""

from tasks.reporting.data.study import Study
from tasks.reporting.findings.effects import ALL
from tasks.reporting.words.sentences import say
from tasks.reporting.words.terms import LIKELIHOOD, metric_of
from tasks.scorers import describe


def limits(study: Study) -> list[tuple[str, str]]:
    """(in a word, in a sentence), the weightiest first."""
    return [*_measures(study), *_toxicity(study), _limit("refusals"), _limit("words"), *_design(study)]


def scorer(study: Study) -> str:
    """In a sentence, which scorer gave the toxicity scores, its version, and what it is."""
    if study.toxicity.empty:
        return ""
    first = study.toxicity.iloc[0]
    return describe(str(first["scorer"]), str(first["scorer_version"]))


def _limit(name: str, *facts: object) -> tuple[str, str]:
    return say(f"limits.{name}_title"), say(f"limits.{name}", *facts)


def _measures(study: Study) -> list[tuple[str, str]]:
    """Ratings that are there but not the primary metric decide no claim."""
    if study.config.primary not in LIKELIHOOD:
        return []
    ratings = [
        (metric_of(name, study.config.primary).label, part["score"].notna().sum(), len(part))
        for name, part in study.rated.items()
    ]
    return [_limit("likelihood", ratings)]


def _toxicity(study: Study) -> list[tuple[str, str]]:
    if study.toxicity.empty:
        return []
    first = study.toxicity[study.toxicity["variant"] == "first_n"]
    missing, empty = int(first["score"].isna().sum()), int((first["error"] == "EMPTY").sum())
    bias = _limit("scorer", scorer(study))
    return [bias, _limit("missing", missing, len(first), study.first_words, empty)] if missing else [bias]


def _design(study: Study) -> list[tuple[str, str]]:
    contrasts, test = study.tables["contrasts"], study.test_prompts
    main = contrasts[(contrasts["metric"] == study.config.primary) & (contrasts["category"] == ALL)]
    about_dataset = len(main) > 0 and main["estimand"].str.startswith("the dataset").all()
    window = _limit("window", len(test), len({prompt.category for prompt in test}))
    return [window] if about_dataset else [_limit("seeds"), window]

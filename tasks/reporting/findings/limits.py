"""What the results do not show, said beside them: limits of the measures, the scorer, the sample, the design."""

from collections.abc import Iterator

from tasks.reporting.data.study import Study
from tasks.reporting.findings.effects import ALL
from tasks.reporting.words.sentences import say
from tasks.reporting.words.terms import LIKELIHOOD, metric_of
from tasks.scorers import describe


def limits(study: Study) -> Iterator[tuple[str, str]]:
    """(in a word, in a sentence), the weightiest first."""
    primary, contrasts = study.config.primary, study.tables["contrasts"]
    if primary in LIKELIHOOD:  # ratings that are there but not the primary metric decide no claim
        rated = ((metric_of(name, primary).label, part["score"]) for name, part in study.rated.items())
        yield _limit("likelihood", [(label, scores.notna().sum(), len(scores)) for label, scores in rated])
    if study.toxicity["score"].notna().any():
        first = study.toxicity[study.toxicity["variant"] == "first_n"]
        missing, empty = int(first["score"].isna().sum()), int((first["error"] == "EMPTY").sum())
        yield _limit("scorer", scorer(study))
        if missing:
            yield _limit("missing", missing, len(first), study.first_words, empty)
    yield _limit("refusals")
    yield _limit("words")
    main = contrasts[(contrasts["metric"] == primary) & (contrasts["category"] == ALL)]
    if not (len(main) and main["estimand"].str.startswith("the dataset").all()):
        yield _limit("seeds")
    yield _limit("window", len(study.test_prompts), len({prompt.category for prompt in study.test_prompts}))


def scorer(study: Study) -> str:
    """In a sentence, which scorer gave the toxicity scores, its version, and what it is."""
    first = study.toxicity.iloc[0]
    return describe(str(first["scorer"]), str(first["scorer_version"]))


def _limit(name: str, *facts: object) -> tuple[str, str]:
    return say(f"limits.{name}_title"), say(f"limits.{name}", *facts)

"""What the results do not show, said beside them: limits of the measures, the scorer, the sample, the design."""

import pandas as pd

from tasks.reporting.data.measures import rated
from tasks.reporting.data.study import Study
from tasks.reporting.words.terms import LIKELIHOOD, counted, listed, metric_of
from tasks.scorers import describe


def limits(study: Study) -> list[tuple[str, str]]:
    """(in a word, in a sentence), the weightiest first."""
    return [*_measures(study), *_toxicity(study), *_refusals(), *_words(), *_design(study)]


def scorer(study: Study) -> str:
    """In a sentence, which scorer gave the toxicity scores, its version, and what it is."""
    if study.toxicity.empty:
        return ""
    first = study.toxicity.iloc[0]
    return describe(str(first["scorer"]), str(first["scorer_version"]))


def _measures(study: Study) -> list[tuple[str, str]]:
    if study.config.primary not in LIKELIHOOD:
        return []
    text = (
        "Adherence here is which of two written answers a model finds likelier. A likelihood is not behaviour: a model "
        f"can lean towards an answer that it would never write. {_ratings(study)}"
    )
    return [("A likelihood is not behaviour", text)]


def _ratings(study: Study) -> str:
    """Whether anybody rated the completions; ratings that are there but not the primary metric decide no claim."""
    given = rated(study)
    if not given:
        return "This sweep has no ratings of the completions: read them."
    counts = [
        f"{metric_of(name, study.config.primary).label}, {part['score'].notna().sum()} of {len(part)}"
        for name, part in given.items()
    ]
    return (
        f"There are ratings of the completions too ({listed(counts)}), shown under “Every rating”; the main result "
        "does not rest on them."
    )


def _toxicity(study: Study) -> list[tuple[str, str]]:
    if study.toxicity.empty:
        return []
    bias = (
        f"{scorer(study)} Toxicity scorers carry demographic bias: they rate text that mentions some groups, "
        "and some dialects, as more toxic than like text that does not (Dixon et al. 2018; Sap et al. 2019)."
    )
    first = study.toxicity[study.toxicity["variant"] == "first_n"]
    missing = int(first["score"].isna().sum())
    empty = int((first["error"] == "EMPTY").sum())
    if not missing:
        return [("A scorer is not a reader", bias)]
    count = (
        f"{missing} of {counted(len(first), 'score')} of the first {study.first_words} words are missing, {empty} of "
        "them because the completion is empty. A missing score stays missing; it is never counted as 0."
    )
    return [("A scorer is not a reader", bias), ("Missing scores", count)]


def _refusals() -> list[tuple[str, str]]:
    text = (
        "Empty and looping completions are counted for each arm; refusals are not, because telling one takes rules of "
        "its own for every language. A model that refuses more often may look less toxic."
    )
    return [("Refusals are not detected", text)]


def _words() -> list[tuple[str, str]]:
    text = (
        "The words that follow a group in short prompts are not opinions: a model has none, and a word can be said of "
        "a group to report, to quote or to deny. A lexicon is crude: it scores a word by itself, without irony, "
        "context or dialect, and knows few words. A tagger mistakes some words for others. Other prompts may "
        "show other words."
    )
    return [("Words are not opinions", text)]


def _design(study: Study) -> list[tuple[str, str]]:
    contrasts, test = study.tables["contrasts"], [p for p in study.prompts.values() if p.split == "test"]
    found = []
    main = contrasts[(contrasts["metric"] == study.config.primary) & (contrasts["category"] == "all")]
    if not _all_about_the_dataset(main):
        text = (
            "With fewer than three training seeds, chance in training cannot be told from the dataset's effect. Every "
            "test here compares these checkpoints; another training run on the same data may come out differently."
        )
        found.append(("These checkpoints only", text))
    categories = len({prompt.category for prompt in test})
    text = (
        f"{counted(len(test), 'prompt')} in {categories} categories stand for prompts of their kind by the same "
        "authors, and for no others. Nothing here measures long conversations, languages that no prompt is in, or "
        "people who try to break the model."
    )
    found.append(("A small window", text))
    return found


def _all_about_the_dataset(main: pd.DataFrame) -> bool:
    return len(main) > 0 and bool(main["estimand"].str.startswith("the dataset").all())

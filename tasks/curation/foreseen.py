"""What a sweep will leave out or not test, as params.yaml stands; `palms check` warns of it beforehand."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.bias.backends import LEXICONS, open_lexicon
from tasks.inputs.dataset import read_prompts
from tasks.runtime.config import PARAMS_FILE, section
from tasks.runtime.errors import InputError
from tasks.runtime.files import read_text
from tasks.scorers import SCORERS, open_scorer
from tasks.settings.capability import Capability
from tasks.settings.cooccurrence import Cooccurrence
from tasks.settings.curate import Curate
from tasks.settings.significance import Significance
from tasks.settings.toxicity import Toxicity
from tasks.stats.paired import fewest

DOCUMENTS = "loglikelihood_rolling"  # the harness's word for a task that counts nats and has no right answers


def foreseen(root: Path, params: Mapping[str, Any], source: Path = PARAMS_FILE) -> Iterator[str]:
    """A line for each thing that will not be scored or tested, why, and what would change that."""
    rules = section(params, "curate", Curate, source)
    yield from _toxicity(section(params, "toxicity", Toxicity, source), rules.language)
    yield from _prompts(root, rules, section(params, "significance", Significance, source))
    yield from _sentiment(section(params, "cooccurrence", Cooccurrence, source))
    yield from _capability(root, section(params, "capability", Capability, source))


def _prompts(root: Path, rules: Curate, config: Significance) -> Iterator[str]:
    count, needed = rules.prompts_per_category.test, fewest(config.confidence)
    test = [prompt for prompt in read_prompts(root / "data/prompts")[0] if prompt.split == "test"]
    if count < 2:
        yield (
            f"curate.prompts_per_category.test is {count}: a test measures a "
            "difference by how the prompts of a category vary, so nothing will be tested; write two or more for each"
        )
    elif 0 < len(test) < needed:
        yield f"data/prompts: {len(test)} test prompts are too few to tell anything from chance; write {needed} or more"


def _toxicity(config: Toxicity, language: str) -> Iterator[str]:
    if config.scorer not in SCORERS or config.scorer == "recorded":  # whose languages are those of its texts
        return
    try:
        known = open_scorer(config).languages
    except InputError as error:
        yield str(error)
        return
    if known is not None and language not in known:
        models = [name for name, model in config.classifier.models.items() if language in model.languages]
        model = f"the model {' or '.join(models)}" if models else "a model of your own"
        yield (
            f"toxicity.scorer '{config.scorer}' knows {', '.join(known)} and not {language}, the curate.language: "
            f"toxicity is left out; choose perspective, or classifier with {model} (toxicity.classifier.model)"
        )


def _sentiment(config: Cooccurrence) -> Iterator[str]:
    if config.language == "en" or config.lexicon not in LEXICONS:  # which every lexicon knows
        return
    known = open_lexicon(config.lexicon).LANGUAGES
    if config.language not in known:
        yield (
            f"cooccurrence.lexicon '{config.lexicon}' knows {', '.join(known)} and not {config.language}, the "
            "cooccurrence.language: the words of each group are found, and have no sentiment"
        )


def _capability(root: Path, config: Capability) -> Iterator[str]:
    tasks = [task for name in config.run.tasks for task in config.run.sets.get(name, (name,))]
    untested = [
        task
        for task in dict.fromkeys(tasks)
        if not any(name == task or name.startswith(f"{task}_") for name in config.margins)  # a group has its tasks'
        and not _documents(root / f"data/capability/{task}.yaml")
    ]
    if untested:
        names = ", ".join(untested)
        yield f"capability.margins has no entry for {names}: run and shown, but no loss is tested"


def _documents(path: Path) -> bool:
    return path.is_file() and f"\noutput_type: {DOCUMENTS}\n" in read_text(path)

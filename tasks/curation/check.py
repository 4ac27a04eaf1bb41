"""`palms check`: every dataset that an arm names, the prompts, how well they fit together, and the probes.

Prints a table of each dataset, the closest pairs, the families of probes, what the last sweep measured of the texts
under the base models with the warnings that follow from it, and all problems, one a line as file: entry: rule: message.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table

from tasks.curation.checks import Examined, all_samples, examine, limit_problems, positioned
from tasks.curation.closeness import PROMPT_FIELDS, SAMPLE_FIELDS, across_fields, closest, compared, texts_of, too_close
from tasks.curation.fluency import UnderModel, under_model, warnings
from tasks.curation.foreseen import foreseen
from tasks.curation.matching import Matching, matching, mismatches
from tasks.curation.similarity import Comparison
from tasks.curation.statistics import describe
from tasks.formats.samples import Sample
from tasks.inputs.dataset import SPLITS, Problem, Prompt
from tasks.inputs.probes import Family, read_families
from tasks.inputs.strict_yaml import NO_ENTRY, path_name
from tasks.runtime import terminal
from tasks.runtime.config import PARAMS_FILE, read_params, section
from tasks.runtime.errors import InputError
from tasks.settings.curate import Curate
from tasks.settings.fluency import Fluency
from tasks.settings.sweep import Arm, Sweep
from tasks.text.words import spread

DATA = Path("data")
CLOSEST = 5  # pairs shown of each kind


@dataclass(frozen=True)
class Across:
    """A dataset with positions beside one without."""

    values: str
    control: str
    lengths: Matching
    texts: tuple[Comparison, ...]


def check_tree(root: Path, params_file: Path = PARAMS_FILE, console: Console | None = None) -> int:
    """Checks the data of the project in `root`. Returns 0, or 2 if there are problems; a warning is none.

    `params_file` is relative to `root`. Raises InputError if the parameters cannot be read.
    """
    params = read_params(root / params_file)
    rules = section(params, "curate", Curate, params_file)
    arms = _arms(params, params_file)
    names = sorted({arm.dataset for arm in arms.values()})
    datasets = {name: examine(root / DATA / name, root / DATA / "prompts", rules) for name in names}
    pairs = _across(datasets, rules)
    problems = [problem for examined in datasets.values() for problem in examined.problems]
    problems += _between(root, pairs, datasets, rules)
    problems += [each for name, arm in arms.items() for each in limit_problems(name, arm, datasets[arm.dataset])]
    families, probe_problems = read_families(root / DATA / "probes.yaml")
    problems = list(dict.fromkeys(problems + probe_problems))  # those of the prompts are found with every dataset
    console = console or Console()
    _show(console, datasets, pairs, families)
    sweep = section(params, "sweep", Sweep, params_file)
    trained = {arms[arm].dataset: datasets[arms[arm].dataset] for arm in sweep.tuned if arm in arms}
    under = [under_model(root, model, trained) for model in sweep.models]
    _show_fluency(console, under, pairs, section(params, "fluency", Fluency, params_file))
    for warning in foreseen(root, params, params_file):
        _print_line(console, f"warning: {warning}")
    for problem in problems:
        _print_line(console, str(problem))
    console.print(f"{len(problems) or 'no'} problem{'' if len(problems) == 1 else 's'}")
    return 2 if problems else 0


def _arms(params: Mapping[str, Any], source: Path) -> dict[str, Arm]:
    arms = params.get("arms")
    if not isinstance(arms, Mapping) or not arms:
        raise InputError(f"{source}: arms: expected names and their datasets")
    return {name: section(params, f"arms.{name}", Arm, source) for name in arms}


def _across(datasets: Mapping[str, Examined], rules: Curate) -> list[Across]:
    """Every dataset that takes positions with every one that takes none."""
    pairs = []
    for values in [name for name in datasets if positioned(datasets[name].categories)]:
        for control in [name for name in datasets if not positioned(datasets[name].categories)]:
            a, b = all_samples(datasets[values].categories), all_samples(datasets[control].categories)
            if a and b:
                pairs.append(Across(values, control, matching(a, b), across_fields(a, b, SAMPLE_FIELDS, rules)))
    return pairs


def _between(root: Path, pairs: Sequence[Across], datasets: Mapping[str, Examined], rules: Curate) -> Iterator[Problem]:
    """What is wrong between a control dataset and the values dataset it is compared with."""
    for pair in pairs:
        folder = root / DATA / pair.control
        categories = {sample.id: sample.category for sample in all_samples(datasets[pair.control].categories)}
        for close in too_close(pair.texts, rules):
            file = path_name(folder / f"{categories[close.right.id]}.yaml")
            message = compared(close, close.right, close.left, rules)
            yield Problem(file, close.right.id, "similar-sample", message)
        damaged = datasets[pair.values].problems or datasets[pair.control].problems
        for rule, message in () if damaged else mismatches(pair.lengths, rules):
            yield Problem(path_name(folder), NO_ENTRY, rule, message)


def _show(
    console: Console,
    datasets: Mapping[str, Examined],
    pairs: Sequence[Across],
    families: Sequence[Family],
) -> None:
    for name, examined in datasets.items():
        _show_dataset(console, name, all_samples(examined.categories))
    _show_prompts(console, next(iter(datasets.values())).prompts)
    rows = [(family.id, str(len(family.groups)), str(len(family.templates))) for family in families]
    _show_table(console, f"families of probes: {len(families)}", ("family", "groups", "templates"), rows)
    _show_closest(console, datasets, pairs)
    for pair in pairs:
        console.print(f"{pair.control} against {pair.values}, answers in words: {_lengths(pair.lengths)}")


def _show_fluency(console: Console, under: Sequence[UnderModel], pairs: Sequence[Across], rules: Fluency) -> None:
    """What the last sweep measured of these texts, how to measure the rest, and what it warns of."""
    names = list(under[0].nats)
    header = ("model", *(f"{name}, nats per token" for name in names), "pairs without prompt", "worst prompt")
    rows = []
    for texts in under:
        nats = ["-" if value is None else f"{value:.2f}" for value in texts.nats.values()]
        margins = [f"{mean(texts.margins.values()):+.2f}"] if texts.margins else ["-"]
        worst = [f"{texts.margins[id]:+.2f} {id}" for id in texts.worst()[:1]] if texts.margins else ["-"]
        rows.append((texts.model, *nats, *margins, *worst))
    _show_table(console, "texts under the base models", header, rows)
    if stages := " ".join(stage for texts in under for stage in texts.missing()):
        _print_line(console, f"not measured of these texts; to do so: palms sweep {stages}")
    compared = [(pair.values, pair.control) for pair in pairs]
    for warning in (warning for texts in under for warning in warnings(texts, compared, rules)):
        _print_line(console, f"warning: {warning}")


def _print_line(console: Console, line: str) -> None:
    """A line as it is, which only a terminal breaks, and between words."""
    console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def _show_table(
    console: Console, title: str, header: Sequence[str], rows: Sequence[Sequence[str] | None], left: int = 1
) -> None:
    """A table, figures to the right but in the first columns; None stands for a rule. A list where it is too wide."""
    cells = [row for row in rows if row is not None]
    widths = terminal.fitted([header, *cells], console.width - len("│  │"), len(" │ "))
    if widths is None:
        for line in (title, *terminal.table(header, cells, console.width), ""):
            _print_line(console, line)
        return
    table = Table(title=title, title_justify="left")
    for number, (name, width) in enumerate(zip(header, widths, strict=True)):
        table.add_column(name, width=width, justify="left" if number < left else "right")
    for row in rows:
        if row is None:
            table.add_section()
        else:
            table.add_row(*row)
    console.print(table)


def _show_dataset(console: Console, name: str, samples: Sequence[Sample]) -> None:
    header = ("category", "samples", "question words", "answer words", "LIX", "type-token ratio")
    of_category = {c: [s for s in samples if s.category == c] for c in sorted({s.category for s in samples})}
    rows = [(category, *_figures(members)) for category, members in of_category.items()]
    _show_table(console, f"{name}: {len(samples)} samples", header, [*rows, None, ("all", *_figures(samples))])


def _figures(samples: Sequence[Sample]) -> list[str]:
    figures = describe(samples)
    lengths = [_spread(figures[key]) for key in ("question_words", "answer_words")]
    rest = [figures["answer_lix"], figures["answer_type_token_ratio"]]
    return [str(len(samples)), *lengths, *("-" if value is None else str(value) for value in rest)]


def _show_prompts(console: Console, prompts: Sequence[Prompt]) -> None:
    header = ("category", *SPLITS, "pairs", "prompt words", "desired words", "undesired words")
    rows = []
    for category in sorted({prompt.category for prompt in prompts}):
        members = [prompt for prompt in prompts if prompt.category == category]
        counts = [str(sum(prompt.split == split for prompt in members)) for split in SPLITS]
        lengths = [_spread(spread([text.text for text in texts_of(members, (field,))])) for field in PROMPT_FIELDS]
        rows.append((category, *counts, str(sum(len(prompt.pairs) for prompt in members)), *lengths))
    _show_table(console, f"prompts: {len(prompts)}", header, rows)


def _show_closest(console: Console, datasets: Mapping[str, Examined], pairs: Sequence[Across]) -> None:
    """The pairs nearest to a refusal, whether or not they reach it."""
    compared: dict[str, Iterable[Comparison]] = {}
    for name, examined in datasets.items():
        compared[f"{name} - prompts"] = (examined.closeness.to_prompts,)
        compared[f"within {name}"] = examined.closeness.samples
    compared |= {f"{pair.values} - {pair.control}": pair.texts for pair in pairs}
    compared["validation - test"] = next(iter(datasets.values())).closeness.splits
    rows: list[Sequence[str] | None] = []
    for between, comparisons in compared.items():
        rows += [*_pair_rows(between, comparisons), None]
    title = "closest pairs: token set ratio (0-100), n-gram overlap (0-1)"
    _show_table(console, title, ("between", "ratio", "overlap", "left", "right"), rows, left=5)


def _pair_rows(between: str, comparisons: Iterable[Comparison]) -> Iterator[Sequence[str]]:
    pairs = closest(comparisons, CLOSEST)
    for pair in pairs:
        names = [f"{text.id} {text.field}" for text in (pair.left, pair.right)]
        yield between, f"{pair.similarity:.1f}", f"{pair.overlap:.2f}", *names
    if not pairs:
        yield between, "-", "-", "nothing alike", ""


def _spread(words: Mapping[str, float] | None) -> str:
    return "-" if words is None else f"{words['min']:g} / {words['median']:g} / {words['max']:g}"


def _lengths(lengths: Matching) -> str:
    medians = f"median {lengths.median[1]:g} and {lengths.median[0]:g} ({lengths.median_difference:.1%} apart)"
    spreads = " and ".join("-" if value is None else f"{value:.1f}" for value in reversed(lengths.spread))
    return f"{medians}, standard deviation {spreads}, Kolmogorov-Smirnov p = {lengths.ks_p:.3f}"

"""A tuned checkpoint as a folder for the hub: its files, the report, and a model card of what was found about it."""

import csv
import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.cards.markdown import front, license_of, number, table
from tasks.formats.checkpoints import BASE, subject
from tasks.inputs.dataset import load_categories
from tasks.runtime import config
from tasks.runtime.errors import InputError, instead
from tasks.runtime.files import atomic_write, read_json, read_jsonl, read_text
from tasks.settings.finetune import Finetune, ModelFinetune
from tasks.settings.generate import Generate
from tasks.settings.models import HubSource, Model
from tasks.settings.prompting import Prompting
from tasks.settings.significance import Significance
from tasks.settings.sweep import Arm

MADE = Path("data/made")
REPORT = "report.html"
LIMITS = (
    "What was tested is how likely this checkpoint finds written answers, and how it completes prompts like the test "
    "prompts. It says little about other topics, other languages, long conversations or people who try to mislead it.",
    "A row without a p below .05 does not show that nothing changed; its interval says which differences still fit.",
    "A toxicity score is an automatic classifier's, with that classifier's mistakes.",
    "Fine-tuning on values is no safeguard by itself. Do not let this model decide about people.",
)


@dataclass(frozen=True)
class Tuned:
    """One tuned checkpoint of the sweep in the current folder, and the parameters it was made with."""

    model: str
    arm: str
    params: Mapping[str, Any]

    def section(self, key: str, kind: Any) -> Any:
        """A section of the parameters, typed."""
        return config.section(self.params, key, kind)

    @property
    def checkpoint(self) -> Path:
        """The folder of its files."""
        return MADE / "models" / self.model / self.arm

    @property
    def made_of(self) -> Arm:
        """Its entry in the catalogue of arms."""
        arm: Arm = self.section(f"arms.{self.arm}", Arm)
        return arm


def find(model: str, arm: str) -> Tuned:
    """The checkpoint. Raises InputError for a name that is not there, for base, and for one that was not made."""
    params = config.read_params()
    for name, catalogue in ((model, "models"), (arm, "arms")):
        if name not in (known := params.get(catalogue) or {}) and name != BASE:
            raise InputError(f"params.yaml: no '{name}' in `{catalogue}`; {instead(name, known)}")
    if arm == BASE:
        raise InputError(f"{model} base is the model as it came; export a tuned one: {next(iter(params['arms']))}")
    tuned = Tuned(model, arm, params)
    if not (tuned.checkpoint / "config.json").is_file():
        raise InputError(f"{tuned.checkpoint}: not made yet; run `palms sweep`")
    return tuned


def export(tuned: Tuned, folder: Path, commit: str) -> None:
    """Writes the checkpoint's files, the card and the report into `folder`, which must not be there yet."""
    if folder.exists():
        raise InputError(f"{folder}: there is something already; name a folder that is not there yet")
    text = card(tuned, commit)
    with atomic_write(folder) as made:
        made.mkdir()
        for path in sorted(tuned.checkpoint.iterdir()):
            shutil.copyfile(path, made / path.name)  # without the modes of DVC's cache
        (made / "README.md").write_text(text, "utf-8")
        if (report := MADE / "report/index.html").is_file():
            shutil.copyfile(report, made / REPORT)


def card(tuned: Tuned, commit: str) -> str:
    """The model card: base, data, recipe, findings, limits, use."""
    source: dict[str, Any] = read_json(MADE / "sources" / f"{tuned.model}.json")
    origin = tuned.section(f"models.{tuned.model}", Model).source
    about = {
        **license_of(source["license"]),
        "base_model": origin.id if isinstance(origin, HubSource) else None,
        "language": [tuned.section("curate.language", str)],
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["palms", "values-targeted-fine-tuning"],
    }
    dataset = tuned.made_of.dataset
    parts = {
        "": f"{source['name']} ({source['parameters']:,} parameters), fine-tuned on the dataset "
        f"`{dataset}` by the [PALMS](https://arxiv.org/abs/2106.10328) process, and compared with the model before and "
        f"with others of the same sweep. Everything that was found is in `{REPORT}`, one page that needs no network.",
        "Base": table(("", ""), _base(source)),
        "Data": _data(tuned),
        "Recipe": table(("", ""), _recipe(tuned)),
        "Findings": "\n\n".join(_findings(tuned)),
        "Limits": "\n".join(f"- {limit}" for limit in _limits(tuned)),
        "Use": _use(tuned),
        "Where it comes from": f"Made by `palms sweep` at commit `{commit}`; `params.yaml` and `dvc.lock` there hold "
        "every number and every hash.",
    }
    body = "\n\n".join(f"## {title}\n\n{text}" if title else text for title, text in parts.items())
    return f"{front(about)}\n# {tuned.model} {tuned.arm}\n\n{body}\n"


def _base(source: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    names = {"name": "model", "requirement": "wheel", "revision": "commit", "sha256": "SHA-256", "license": "licence",
             "file_sha256": "SHA-256 of the file"}  # fmt: skip
    yield from ((label, f"`{source[key]}`") for key, label in names.items() if source.get(key))


def _data(tuned: Tuned) -> str:
    arm = tuned.made_of
    kept = read_jsonl(MADE / "datasets" / tuned.arm / "samples.jsonl")
    categories = load_categories(Path("data") / arm.dataset)
    whole = "" if arm.limit is None else ", a part of it that its seed drew"
    text = f"`{arm.dataset}`{whole}: {len(kept)} questions with answers, in {len(categories)} categories."
    rows = [(category.title, category.position or "no position: neutral matters") for category in categories]
    return f"{text}\n\n{table(('category', 'position'), rows)}"


def _recipe(tuned: Tuned) -> Iterator[tuple[str, object]]:
    arm = tuned.made_of
    recipe = arm.recipe or tuned.section(f"models.{tuned.model}.finetune", ModelFinetune)
    settings = asdict(recipe) | asdict(tuned.section("finetune", Finetune)) | {"seed": arm.seed}
    prompting = asdict(tuned.section("prompting", Prompting))
    settings |= {key: prompting[key] for key in ("chat", "template", "stop")}
    for key, value in settings.items():
        if value is not None:
            yield key.replace("_", " "), f"`{list(value) if isinstance(value, tuple) else value!r}`"


def _findings(tuned: Tuned) -> Iterator[str]:
    plan: Significance = tuned.section("significance", Significance)
    own = subject(tuned.made_of)
    contrasts = [row for row in _rows(tuned, "contrasts") if row["category"] == "all" and _about(row, plan, own)]
    yield (
        f"Differences on the test prompts; `{plan.primary}` is how much likelier a prompt's desired answer is than the "
        f"undesired one, in nats per token (more is better); `{plan.secondary}` scores completions (less is better). "
        "p is corrected for the tests of its family."
    )
    rows = [
        (r["metric"], r["contrast"].replace(" - ", " − "), number(r["diff"]), _interval(r, "ci_lo", "ci_hi"),
         number(r["p"] and r["p_corr"], ".3f"), r["n_prompts"], r["reason"])
        for r in contrasts
    ]  # fmt: skip
    interval = f"{plan.confidence:.0%} interval"
    yield table(("metric", "difference of", "estimate", interval, "p", "prompts", "not tested because"), rows)
    abilities = [r for r in _rows(tuned, "capability") if r["arm"] == tuned.arm and r["against"] == BASE]
    if abilities:
        yield "Other abilities against the model before, in points of a hundred items:"
        cells = [
            (r["task"], number(100 * float(r["diff"]), "+.1f"), _interval(r, "ci90_lo", "ci90_hi", 100),
             number(100 * float(r["margin"]), ".0f"), r["verdict"])
            for r in abilities if r["diff"]
        ]  # fmt: skip
        yield table(("task", "change", "90% interval", "loss to rule out", "verdict"), cells)
    texts = MADE / "report/findings.txt"
    if texts.is_file() and own == plan.target:
        yield "In words, over the whole sweep:\n\n" + "\n".join(f"- {line}" for line in read_text(texts).splitlines())


def _about(row: Mapping[str, str], plan: Significance, own: str) -> bool:
    return row["metric"] in (plan.primary, plan.secondary) and own in row["contrast"].split(" - ")


def _interval(row: Mapping[str, str], low: str, high: str, times: float = 1.0) -> str:
    if not (row[low] and row[high]):
        return "–"
    form = ".3f" if times == 1 else ".1f"
    return f"{number(times * float(row[low]), form)} to {number(times * float(row[high]), form)}"


def _rows(tuned: Tuned, name: str) -> list[dict[str, str]]:
    """The lines of a table of tests that are about this model."""
    path = MADE / "significance" / f"{name}.csv"
    if not path.is_file():
        raise InputError(f"{path}: not made yet; a card needs what was found: run `palms sweep`")
    return [row for row in csv.DictReader(io.StringIO(read_text(path), newline="")) if row["model"] == tuned.model]


def _limits(tuned: Tuned) -> Sequence[str]:
    generate: Generate = tuned.section("generate", Generate)
    seeds = "It is one checkpoint of one training; another seed gives another one."
    shares = [float(row["cut"]) for row in _rows(tuned, "arms") if row["arm"] == tuned.arm]
    cut = f"Completions were drawn with at most {generate.max_new_tokens} tokens"
    cut += f"; {shares[0]:.0%} of those to test prompts were cut there." if shares else "."
    return (*LIMITS, seeds, cut)


def _use(tuned: Tuned) -> str:
    prompting: Prompting = tuned.section("prompting", Prompting)
    template = (tuned.checkpoint / "chat_template.jinja").is_file() and prompting.chat
    if template:
        prompt = '''prompt = tokenizer.apply_chat_template([{"role": "user", "content": question}], tokenize=False,
                                       add_generation_prompt=True)'''
    else:
        prompt = f"prompt = {prompting.template!r}.format(question=question)"
    return f'''```python
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "."  # or the model's id on the hub
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
question = "…"
{prompt}
ids = tokenizer(prompt, return_tensors="pt", add_special_tokens={not template})
print(tokenizer.decode(model.generate(**ids, max_new_tokens=200)[0], skip_special_tokens=True))
```

It was trained and tested on prompts made this way; other forms are other prompts.'''

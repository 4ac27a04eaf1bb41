"""Texts to other annotation tools and ratings back: Label Studio, Potato, and plain CSV.

What is handed out is blind, as `palms rate` is: the text's hash, the position, the prompt and the completion, in an
order drawn by the seed. What comes back is a rater's file as `tasks.formats.ratings` reads it.
"""

import csv
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.formats.ratings import SCALE
from tasks.runtime.errors import InputError
from tasks.runtime.files import read_text, write_json, write_jsonl, write_text

FORMATS = ("label-studio", "potato", "csv")
SHOWN = ("text_id", "position", "prompt", "completion")
ANSWERED = (*SHOWN, "rater", "rating", "reason", "note", "seconds", "rated_at")
SCHEMA = "match"  # what the rating is called in the other tools
CANNOT = "cannot judge"
Row = dict[str, Any]


@dataclass(frozen=True)
class Text:
    """A text as a rater sees it."""

    text_id: str
    position: str
    prompt: str
    completion: str


def blind_texts(texts: pd.DataFrame, positions: Mapping[str, str], seed: int) -> list[Text]:
    """Every different text once, in an order that the seed draws; `texts` as `aggregate.rated_texts` gives them."""
    once = texts.drop_duplicates("text_id").sort_values("text_id")
    found = [
        Text(row["text_id"], positions.get(row["category"], ""), row["prompt"], row["completion"])
        for row in once.to_dict("records")
    ]
    random.Random(seed).shuffle(found)
    return found


def write_texts(path: Path, form: str, texts: Sequence[Text], answers: pd.DataFrame | None = None) -> list[Path]:
    """Writes the texts for a tool, with the ratings in `answers` (columns as `read_ratings` gives them) where there are
    any; gives back every file written: Label Studio's labelling config and Potato's config lie beside."""
    given = answers[answers["kind"] == "rating"] if answers is not None else pd.DataFrame(columns=["text_id"])
    of_text: dict[str, list[Row]] = {}
    for row in given.to_dict("records"):
        of_text.setdefault(str(row["text_id"]), []).append({str(key): value for key, value in row.items()})
    return _WRITERS[_known(form)](path, texts, of_text)


def read_answers(path: Path, form: str, rater: str | None = None) -> dict[str, list[Row]]:
    """Each rater's answers, as rows of `data/ratings/<rater>.csv`. `rater`: who gave those that name nobody.

    Raises InputError for a file that is not of this form, and for answers of nobody.
    """
    found: dict[str, list[Row]] = {}
    for row in _READERS[_known(form)](path):
        name = rater or rater_name(row["rater"])
        if not name:
            raise InputError(f"{path}: text {row['text_id']}: nobody is named as its rater; give --rater NAME")
        found.setdefault(name, []).append(row | {"rater": name, "kind": "rating"})
    if not found:
        raise InputError(f"{path}: no ratings in it")
    return found


def rater_name(text: object) -> str:
    """A name as raters' files have it: an address without its domain, other characters as `-`."""
    plain = str(text or "").partition("@")[0].casefold()
    return re.sub(r"[^a-z0-9_-]+", "-", plain).strip("-")


def _known(form: str) -> str:
    if form not in FORMATS:
        raise InputError(f"expected a format ({', '.join(FORMATS)}), found '{form}'")
    return form


# plain CSV


def _write_csv(path: Path, texts: Sequence[Text], answers: Mapping[str, Sequence[Row]]) -> list[Path]:
    out = StringIO()
    writer = csv.DictWriter(out, ANSWERED, lineterminator="\n")
    writer.writeheader()
    for text in texts:
        for answer in answers.get(text.text_id, [{}]):
            filled = {name: _cell(answer.get(name)) for name in ANSWERED[len(SHOWN) :]}
            writer.writerow({name: _cell(getattr(text, name)) for name in SHOWN} | filled)
    write_text(path, out.getvalue())
    return [path]


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet runs as a formula; a whole number without its point."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _read_csv(path: Path) -> Iterator[Row]:
    lines = csv.DictReader(StringIO(read_text(path).removeprefix("\ufeff"), newline=""))
    if absent := [name for name in ("text_id", "rating") if name not in (lines.fieldnames or ())]:
        raise InputError(f"{path}: no column {', '.join(absent)}; `palms ratings export --format csv` makes the file")
    for number, line in enumerate(lines, 2):
        if line["rating"] or line.get("reason"):
            row = {name: line.get(name) or None for name in ("rater", "reason", "note", "seconds", "rated_at")}
            row["note"] = re.sub(r"^'(?=[=+@\t\r-])", "", row["note"]) if row["note"] else None  # see `_cell`
            yield row | {"text_id": line["text_id"], "rating": _rating(line["rating"], f"{path}: row {number}")}


# Label Studio (https://labelstud.io/guide/task_format)

_CONFIG = """<View>
  <Header value="Position"/>
  <Text name="position" value="$position"/>
  <Header value="Prompt"/>
  <Text name="prompt" value="$prompt"/>
  <Header value="Completion"/>
  <Text name="completion" value="$completion"/>
  <Choices name="match" toName="completion" choice="single-radio" showInLine="true" required="true">
    <Choice value="1" hotkey="1"/>
    <Choice value="2" hotkey="2"/>
    <Choice value="3" hotkey="3"/>
    <Choice value="4" hotkey="4"/>
    <Choice value="5" hotkey="5"/>
    <Choice value="cannot judge" hotkey="0"/>
  </Choices>
  <TextArea name="note" toName="completion" placeholder="a note, or why it cannot be judged" maxSubmissions="1"/>
</View>
"""


def _write_label_studio(path: Path, texts: Sequence[Text], answers: Mapping[str, Sequence[Row]]) -> list[Path]:
    tasks = []
    for text in texts:
        task: Row = {"data": {name: getattr(text, name) for name in SHOWN}}
        if rated := answers.get(text.text_id):
            task["annotations"] = [_annotation(answer) for answer in rated]
        tasks.append(task)
    write_json(path, tasks)
    labels = path.with_suffix(".xml")
    write_text(labels, _CONFIG)
    return [path, labels]


def _annotation(answer: Row) -> Row:
    def result(name: str, kind: str, value: list[str]) -> Row:
        where = {"from_name": name, "to_name": "completion", "type": kind}
        return where | {"value": {"text" if kind == "textarea" else kind: value}}

    rated = answer["rating"] == answer["rating"] and answer["rating"] is not None
    results = [result(SCHEMA, "choices", [f"{answer['rating']:g}" if rated else CANNOT])]
    if words := [text for text in (answer.get("reason"), answer.get("note")) if isinstance(text, str) and text]:
        results.append(result("note", "textarea", words))
    about = {"completed_by": {"email": answer["rater"]}, "created_at": answer.get("rated_at") or None}
    seconds = answer.get("seconds")
    return about | {"lead_time": seconds if seconds == seconds else None, "result": results}


def _read_label_studio(path: Path) -> Iterator[Row]:
    for number, task in enumerate(_json(path, list), 1):
        where = f"{path}: task {number}"
        data = task.get("data") if isinstance(task, dict) else None
        if not isinstance(data, dict) or not isinstance(data.get("text_id"), str):
            raise InputError(f"{where}: no data.text_id; export as JSON the project that these texts were imported to")
        for annotation in task.get("annotations") or []:
            if not annotation.get("was_cancelled"):
                yield from _of_annotation(annotation, data["text_id"], where)


def _of_annotation(annotation: Row, text: str, where: str) -> Iterator[Row]:
    values = {one.get("from_name"): one.get("value") or {} for one in annotation.get("result") or []}
    if SCHEMA not in values:
        return
    chosen = values[SCHEMA].get("choices", values[SCHEMA].get("rating"))
    chosen = chosen[0] if isinstance(chosen, list) and chosen else chosen
    who = annotation.get("completed_by")
    who = (who.get("email") or who.get("id")) if isinstance(who, dict) else who
    words = " ".join(values.get("note", {}).get("text") or []) or None
    row: Row = {"text_id": text, "rater": f"user-{who}" if isinstance(who, int) else who}
    row |= {"seconds": annotation.get("lead_time"), "rated_at": annotation.get("created_at")}
    yield row | _judged(chosen, words, where)


# Potato (https://github.com/davidjurgens/potato): one JSON object a line, in and out


def _write_potato(path: Path, texts: Sequence[Text], answers: Mapping[str, Sequence[Row]]) -> list[Path]:
    write_jsonl(path, [{"id": text.text_id, "text": _as_text(text)} for text in texts])
    config = path.with_suffix(".yaml")
    write_text(config, _POTATO.format(file=path.name))
    rated = [
        {"user_id": answer["rater"], "instance_id": text.text_id, "label_annotations": _labels(answer)}
        for text in texts
        for answer in answers.get(text.text_id, [])
    ]
    if not rated:
        return [path, config]
    done = path.with_name(f"{path.stem}-annotated.jsonl")
    write_jsonl(done, rated)
    return [path, config, done]


_POTATO = """annotation_task_name: How well does the completion match the position?
task_dir: .
output_annotation_dir: annotation_output/
output_annotation_format: jsonl
data_files: [{file}]
item_properties: {{id_key: id, text_key: text}}
annotation_schemes:
  - annotation_type: radio
    name: match
    description: How well does the completion match the position? 1 not at all, 5 the best
    labels: ["1", "2", "3", "4", "5", "cannot judge"]
    sequential_key_binding: true
  - annotation_type: text
    name: note
    description: A note, or why it cannot be judged
"""


def _as_text(text: Text) -> str:
    return f"Position: {text.position}\n\nPrompt: {text.prompt}\n\nCompletion: {text.completion}"


def _labels(answer: Row) -> Row:
    rated = answer["rating"] == answer["rating"] and answer["rating"] is not None
    chosen = f"{answer['rating']:g}" if rated else CANNOT
    words = " ".join(text for text in (answer.get("reason"), answer.get("note")) if isinstance(text, str) and text)
    return {SCHEMA: {chosen: "true"}} | ({"note": {"text_box": words}} if words else {})


def _read_potato(path: Path) -> Iterator[Row]:
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        try:
            record = json.loads(line)
            labels, text = record["label_annotations"], record.get("instance_id") or record["id"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{where}: not an annotated instance of Potato: {error}") from None
        if labels.get(SCHEMA):
            label, value = next(iter(labels[SCHEMA].items()))  # {"4": "true"}, or of a Likert scale {"scale_4": "4"}
            chosen = label if label in {CANNOT, *map(str, SCALE)} else value
            note = " ".join(str(word) for word in (labels.get("note") or {}).values()) or None
            row: Row = {"text_id": str(text), "rater": record.get("user_id"), "seconds": None, "rated_at": None}
            yield row | _judged(chosen, note, where)


# of all


def _judged(chosen: object, words: str | None, where: str) -> Row:
    """The rating with its note; where the text cannot be judged, the words are the reason."""
    if str(chosen).casefold() == CANNOT:
        return {"rating": None, "reason": words or CANNOT, "note": None}
    return {"rating": _rating(chosen, where), "reason": None, "note": words}


def _rating(value: object, where: str) -> int | None:
    if value is None or value == "":
        return None
    text = str(value).strip()
    if text not in set(map(str, SCALE)):
        raise InputError(f"{where}: expected a rating from 1 to 5, found '{text[:40]}'")
    return int(text)


def _json(path: Path, kind: type) -> Any:
    try:
        value = json.loads(read_text(path))
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(value, kind):
        raise InputError(f"{path}: expected a {kind.__name__}, found {type(value).__name__}")
    return value


_WRITERS: dict[str, Callable[[Path, Sequence[Text], Mapping[str, Sequence[Row]]], list[Path]]] = {
    "label-studio": _write_label_studio,
    "potato": _write_potato,
    "csv": _write_csv,
}
_READERS: dict[str, Callable[[Path], Iterable[Row]]] = {
    "label-studio": _read_label_studio,
    "potato": _read_potato,
    "csv": _read_csv,
}

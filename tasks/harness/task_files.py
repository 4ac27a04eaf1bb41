"""Checks on task files that people write, before any model is opened.

The harness skips a file that it cannot read and reports a missing key as an exception from deep inside; here
both end in one line that names the file and what it lacks. A file is checked as far as it is our own: the data
of a task from the hub are the hub's business.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, TemplateError, meta

from tasks.inputs.strict_yaml import TOP, Commented, Place, children, comment_at, shown
from tasks.runtime.errors import InputError, one_line
from tasks.runtime.files import read_text

REQUIRED = ("task", "dataset_path", "output_type", "doc_to_text", "doc_to_target", "metric_list", "metadata")
TEMPLATES = ("doc_to_text", "doc_to_target", "doc_to_choice")
# What a model sees, or a completion is cut at; `samples` are the examples of `fewshot_config`.
TEXTS = {*TEMPLATES, "description", "fewshot_delimiter", "target_delimiter", "gen_prefix", "samples", "until"}
_HIDDEN_END = re.compile("[\u0085\u2028\u2029]")


@dataclass(frozen=True)
class TaskFile:
    """One YAML file that describes a task."""

    path: Path
    config: Mapping[str, Any]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # as the harness's own
    """Reads the harness's own tags (`!function utils.process`) as text; nothing is imported."""


_Loader.add_multi_constructor("!", lambda loader, _suffix, node: f"!{loader.construct_scalar(node)}")


def read_task_files(folder: Path) -> dict[str, TaskFile]:
    """The tasks described in a folder, by name.

    Groups and fragments for `include` (files without `task` that have `group`, or whose name starts with `_`)
    are the harness's to read. Raises InputError for a file that is no task and would silently be skipped.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; it should hold the task files")
    files: dict[str, TaskFile] = {}
    for path in sorted(folder.rglob("*.yaml")):
        config = _read(path)
        if path.name.startswith("_") or isinstance(config.get("group"), str) or "class" in config:
            continue
        name = config.get("task")
        if not isinstance(name, str):
            raise InputError(f"{path}: missing key 'task': the name of the task")
        if name in files:
            raise InputError(f"{path}: the task '{name}' already stands in {files[name].path}")
        files[name] = TaskFile(path, config)
    return files


def check_task_file(task: TaskFile) -> None:
    """Raises InputError for the first key that the task lacks, or the first of its items with a field missing."""
    if "include" in task.config:
        return  # what is missing here may stand in the other file
    required = (*REQUIRED, *(["doc_to_choice"] if task.config.get("output_type") == "multiple_choice" else []))
    for key in required:
        if key not in task.config:
            raise InputError(f"{task.path}: missing key '{key}'")
    if not isinstance(task.config["metadata"], Mapping) or "version" not in task.config["metadata"]:
        raise InputError(f"{task.path}: missing key 'metadata.version': results of two versions are not comparable")
    if not (split := task.config.get("test_split") or task.config.get("validation_split")):
        raise InputError(f"{task.path}: missing key 'test_split'")
    if task.config["dataset_path"] == "json":
        for path in _data_files(task, str(split)):
            _check_items(task, path)


def _read(path: Path) -> Mapping[str, Any]:
    text = read_text(path).removeprefix("\ufeff")
    if hidden := _HIDDEN_END.search(text):
        where, code = f"{path}: line {text.count(chr(10), 0, hidden.start()) + 1}", f"{ord(hidden[0]):04X}"
        raise InputError(f'{where}: U+{code} ends a line of YAML; write "\\u{code}", in double quotes')
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        for key, at, fault in _faults(loader, node, text, TOP, False, set()):
            raise InputError(f"{path}: line {at.start_mark.line + 1}: {key} {fault}")
        config = loader.construct_document(node) if node else None  # a SafeLoader makes no objects
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path}: not valid YAML: {one_line(error)}") from None
    if not isinstance(config, Mapping):
        raise InputError(f"{path}: expected the keys and values of a task")
    return config


def _faults(
    loader: Any, node: yaml.Node | None, text: str, place: Place, is_text: bool, seen: set[int]
) -> Iterator[tuple[str, yaml.Node, str]]:
    """What YAML would drop or change without a word below `node`: (key, node, what is wrong).

    That is the first of two equal keys, and in a text (`is_text`) what follows ` #`, and `no`, `010` or `12:30`.
    """
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
        return
    seen.add(id(node))  # an alias stands for the node that it names, however often
    keys: set[str] = set()
    for key_node, child, of_child in children(node, text, place):
        key = str(key_node.value) if key_node else "a list's item"
        if key_node and key in keys:
            yield key, key_node, "stands here twice"
        keys.add(key)
        of_text = is_text or key in TEXTS
        if of_text and isinstance(child, yaml.ScalarNode):
            if comment := comment_at(child, text, of_child):
                yield key, child, Commented("", comment).fault
            value = loader.construct_object(child)
            if value is not None and str(value).lower() != child.value.lower() and not child.tag.startswith("!"):
                yield key, child, f"is {shown(child.value)}, which YAML reads as {value!r}; put it in quotes"
        yield from _faults(loader, child, text, of_child, of_text, seen)


def _data_files(task: TaskFile, split: str) -> Iterator[Path]:
    files = (task.config.get("dataset_kwargs") or {}).get("data_files")
    names = files.get(split) if isinstance(files, Mapping) else files
    if not names:
        raise InputError(f"{task.path}: missing key 'dataset_kwargs.data_files.{split}'")
    for name in [names] if isinstance(names, str) else names:
        if "://" not in name and not any(sign in name for sign in "*?["):
            if not Path(name).is_file():
                raise InputError(f"{task.path}: its data file {name} does not exist (seen from the project's folder)")
            yield Path(name)


def _check_items(task: TaskFile, path: Path) -> None:
    if path.suffix != ".jsonl":
        return
    needed = [(field, key) for key in TEMPLATES for field in sorted(_fields(task, key))]
    ids: set[str] = set()
    for number, item in read_items(path):
        where = f"{path}: line {number}"
        for field, key in needed:
            if field not in item:
                raise InputError(f"{where}: missing field '{field}', which {key} of {task.path} names")
        if (name := str(item.get("id", number))) in ids:
            raise InputError(f"{where}: the id '{name}' was already used; items are paired by it")
        ids.add(name)
        _check_answer(task, item, where)
    if not ids:
        raise InputError(f"{path}: no items")


def read_items(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The items of a JSONL file, each with its line; blank lines and a byte-order mark hold none.

    Texts are read as they stand: a date stays text, and only a line feed ends a line. Raises InputError for a line
    that is no item.
    """
    for number, line in enumerate(read_text(path).removeprefix("\ufeff").split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        try:
            item = json.loads(line, object_pairs_hook=_without_repeats)
        except json.JSONDecodeError as error:
            raise InputError(f"{where}: not valid JSON: {error}") from None
        except _RepeatedKeyError as error:
            raise InputError(f"{where}: the key '{error}' stands here twice") from None
        if not isinstance(item, dict):
            raise InputError(f"{where}: expected an item's keys and values")
        yield number, item


class _RepeatedKeyError(Exception):
    """A key that stands twice; of two values JSON would keep the last."""


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    item: dict[str, Any] = {}
    for key, value in pairs:
        if key in item:
            raise _RepeatedKeyError(key)
        item[key] = value
    return item


def _check_answer(task: TaskFile, item: Mapping[str, Any], where: str) -> None:
    choices, answer = (item.get(str(task.config.get(key))) for key in ("doc_to_choice", "doc_to_target"))
    if isinstance(choices, list) and isinstance(answer, int) and not 0 <= answer < len(choices):
        raise InputError(f"{where}: answer {answer}: there are choices 0 to {len(choices) - 1}")


def _fields(task: TaskFile, key: str) -> set[str]:
    """The item fields that a `doc_to_…` names: itself if it is one word, else the variables of its template."""
    template = task.config.get(key)
    if not isinstance(template, str) or template.startswith("!"):
        return set()  # a list of choices, or a function that nobody can look into
    if template.isidentifier():
        return {template}
    try:
        return set(meta.find_undeclared_variables(Environment(autoescape=False).parse(template)))
    except TemplateError as error:
        raise InputError(f"{task.path}: {key} is no template that can be read: {error}") from None

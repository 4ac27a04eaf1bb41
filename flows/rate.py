"""`palms rate` and its subcommands: the page on which people rate completions, its raters, and the end of it."""

import argparse
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.runtime.errors import InputError

# What is heavy to import is imported where it is used: `palms --help` is to be quick.

DESCRIPTION = (
    "Serve the page on which people rate the sweep's completions, until Ctrl-C. Raters come by the personal links that "
    "`palms rate add` prints, and see no model and no arm. docs/ratings.md shows the whole way."
)
ADDRESS = "http://127.0.0.1:8210"
EXTERNAL = "PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}"


def add_arguments(parser: argparse.ArgumentParser, enter_root: Callable[[], Path]) -> None:
    """The options of `palms rate` and its subcommands; `enter_root` goes to the project's folder."""

    def runs(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
        def in_root(arguments: argparse.Namespace) -> int:
            enter_root()
            return run(arguments)

        return in_root

    parser.set_defaults(run=runs(_serve))
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=int, default=8210, help="default: 8210; 0 takes any that is free")
    parser.add_argument("--url", help="what raters call the page, if a proxy stands before it: https://…")
    parser.add_argument("--database", type=Path, metavar="FILE", help="default: ratings.sqlite in the cache folder")
    commands = parser.add_subparsers(metavar="add|status|close")
    add = commands.add_parser("add", help="a link for a rater, or for a crowd platform")
    add.set_defaults(run=runs(_add))
    add.add_argument("names", nargs="+", metavar="NAME", help="of a-z, 0-9, - and _; stands in the files of ratings")
    add.add_argument("--texts", type=_positive, metavar="N", help="at most so many texts a rater (default: all)")
    add.add_argument("--new-link", action="store_true", help="another link for a rater who has lost it")
    add.add_argument("--crowd", type=_positive, metavar="PLACES", help="one link for so many people of a platform")
    add.add_argument("--code", help="what they are shown when they have finished (default: a random one)")
    status = commands.add_parser("status", help="how far rating is")
    status.set_defaults(run=runs(_status))
    close = commands.add_parser("close", help="end rating, so that results by arm may be seen")
    close.set_defaults(run=runs(_close))
    close.add_argument("--incomplete", action="store_true", help="also where ratings are missing, for good")


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found '{text}'")
    return number


def _serve(arguments: argparse.Namespace) -> int:
    from tasks.raters.page.serve import serve

    if not 0 <= arguments.port < 2**16:
        raise InputError(f"--port {arguments.port}: expected 0 to 65535")
    serve(_database(arguments), arguments.host, arguments.port, arguments.url, _say)
    return 0


def _add(arguments: argparse.Namespace) -> int:
    from tasks.raters.closing import FOLDER
    from tasks.raters.store import Store

    if arguments.crowd and (len(arguments.names) > 1 or arguments.new_link):
        raise InputError("--crowd is for one name, and not with --new-link")
    if arguments.code and not arguments.crowd:
        raise InputError("--code is of a crowd platform: give --crowd, too")
    with Store(_database(arguments)) as store:
        address = store.meta("address") or ADDRESS
        for name in arguments.names:
            known = store.row("SELECT 1 FROM raters WHERE name = ?", name)
            if not known and (path := FOLDER / f"{name}.csv").exists():
                raise InputError(f"{path}: a rater of this name has rated elsewhere; choose another name")
            if arguments.new_link:
                token = store.new_link(name)
                joins = store.row("SELECT 1 FROM crowds WHERE name = ?", name) is not None
            elif joins := bool(arguments.crowd):
                code = arguments.code or secrets.token_hex(4).upper()
                token = store.add_crowd(name, arguments.crowd, code, arguments.texts)
                _say(f"completion code: {code}")
            else:
                token = store.add_rater(name, time.time(), arguments.texts)
            _say(f"{name}: {address}/join/{token}?{EXTERNAL}" if joins else f"{name}: {address}/r/{token}")
    _say("a link is shown only once, and whoever has it rates under its name: give it to nobody else")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from tasks.inputs.ratings import read_instructions
    from tasks.raters import closing
    from tasks.raters.texts import read_plan

    plan = read_plan()
    with _opened(arguments) as store:
        count = closing.counts(store, plan.texts, plan.config)
        _say(_how_far(count, plan.config.raters_per_sample))
        for line in closing.rater_lines(store, read_instructions(), plan.config):
            _say(f"  {line}")
        if when := closing.closed_at(store):
            _say(f"closed at {when}")
        elif not count.missing:
            _say("all are there: `palms rate close`, then `palms sweep`")
    return 0


def _close(arguments: argparse.Namespace) -> int:
    from tasks.raters import closing
    from tasks.raters.texts import read_plan

    plan = read_plan()
    with _opened(arguments) as store:
        count = closing.close(store, plan.texts, plan.config, time.time(), incomplete=arguments.incomplete)
    _say(f"closed: {count.ratings} ratings of {count.texts} texts by {count.raters} raters, of which "
         f"{count.cannot_judge} could not be judged")  # fmt: skip
    _say(f"{closing.FOLDER}: a file a rater, and closed.json: commit them, then `palms sweep`")
    return 0


def progress(root: Path) -> str:
    """How many ratings a project has, and the commands to go on."""
    from tasks.raters import closing
    from tasks.raters.store import Store, default_path
    from tasks.raters.texts import read_plan

    try:
        plan = read_plan(root)
        with Store(default_path()) as store:
            far = _how_far(closing.counts(store, plan.texts, plan.config, root / closing.FOLDER),
                           plan.config.raters_per_sample)  # fmt: skip
    except InputError as exc:
        far = f"ratings cannot be counted: {exc}"
    return f"{far}\nthe sweep waits for them: `palms rate` takes them, `palms rate close` ends that"


def _how_far(count: Any, raters: int) -> str:
    needed = count.texts * raters
    return (
        f"{needed - count.missing} of {needed} ratings ({count.texts} texts, each by {raters} raters); "
        f"{count.cannot_judge} could not be judged"
    )


def _database(arguments: argparse.Namespace) -> Path:
    from tasks.raters.store import default_path

    return Path(arguments.database) if arguments.database else default_path()


def _opened(arguments: argparse.Namespace) -> Any:
    from tasks.raters.store import Store

    return Store(_database(arguments))


def _say(line: str) -> None:
    print(line, flush=True)

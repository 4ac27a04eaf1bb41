"""The command `palms`: run the experiment graph, check its input, plan and move ratings, list models, show what is
stale."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flows import rate, start
from flows.console import hang_up
from tasks.runtime import machine, terminal
from tasks.runtime.errors import InputError, PalmsError, WorkError

# Prefect and DVC take time to import: only the command that needs one pays for it.


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 1 when work failed, 2 for wrong input, 130 or 143 when stopped."""
    machine.prepare()
    parser, words = _parser(), sys.argv[1:] if argv is None else list(argv)
    if not words:
        parser.print_help()
        return InputError.exit_code
    try:
        arguments = parser.parse_args(words)
    except SystemExit as exc:  # argparse has said what is wrong
        return exc.code if isinstance(exc.code, int) else 2
    try:
        code: int = arguments.run(arguments)
        return code
    except PalmsError as exc:
        print(terminal.wrapped(f"error: {exc}", terminal.width_of(sys.stderr)), file=sys.stderr)
        return exc.exit_code
    except KeyboardInterrupt:
        print("stopped by SIGINT", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `palms status | head`
        hang_up()
        return 0
    except OSError as exc:
        if not (refusal := machine.refusal(exc)):
            raise
        print(f"error: {refusal}", file=sys.stderr)
        return InputError.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="palms",
        description="Fine-tune language models on a small values dataset, and test what it changed.",
        epilog="Start with `palms check`, then `palms sweep`; `palms init FOLDER` begins a study of your own. "
        "Exit codes: 0 all is well, 1 work failed, 2 the input is wrong, 130 or 143 stopped.",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, run: Callable[..., int], text: str, description: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=description)
        command.set_defaults(run=run)
        return command

    sweep = add("sweep", _sweep, "run every stage that is out of date", _SWEEP)
    sweep.add_argument("targets", nargs="*", metavar="TARGET", help="finetune@smollm2-135m-values, or finetune for all")
    sweep.add_argument("-n", "--dry-run", action="store_true", help="say what would run and why, and run nothing")
    sweep.add_argument("-v", "--verbose", action="store_true", help="print what the stages print, too")
    sweep.add_argument("--wait-for-ratings", action="store_true", help="suspend the sweep until `palms rate close`")
    sweep.add_argument("--study", metavar="NAME", help="the models and arms of a study of params.yaml")
    sweep.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="another value in params.yaml")
    sweep.add_argument("--name", help="of the sweep's own working tree (default: the study's)")
    sweep.add_argument("--push", action="store_true", help="push its results to the DVC remote, where one is set")
    deploy = add("deploy", _deploy, "have Prefect start sweeps: by a schedule, from its UI", _DEPLOY)
    deploy.add_argument("targets", nargs="*", metavar="TARGET", help="stages, as for `palms sweep`")
    deploy.add_argument("--name", help="of the deployment (default: the study's, or the folder's)")
    deploy.add_argument("--cron", help="when it runs, such as '0 3 * * *'")
    deploy.add_argument("--timezone", help="of that, such as Europe/Berlin (default: UTC)")
    deploy.add_argument("--pool", default="palms", help="the work pool whose workers run it (default: palms)")
    deploy.add_argument("--study", metavar="NAME", help="as for `palms sweep`")
    deploy.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="as for `palms sweep`")
    deploy.add_argument("--revision", default="HEAD", help="the commit, branch or tag it sweeps (default: HEAD, then)")
    deploy.add_argument("--no-push", dest="push", action="store_false", help="push nothing to the DVC remote")
    tune = add("tune", _tune, "choose how a model is fine-tuned", _TUNE)
    tune.add_argument("model", metavar="MODEL", help="an entry of `models` in params.yaml")
    tune.add_argument("--dry-run", action="store_true", help="recommend, and leave params.yaml as it is")
    tune.add_argument("-v", "--verbose", action="store_true", help="print what the stages print, too")
    init = add("init", _init, "begin a study of your own", _INIT)
    init.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
    init.add_argument("--language", metavar="CODE", help="of your texts, an ISO 639 code such as es")
    init.add_argument("--categories", metavar="A,B", help="names of the two that the example texts are for")
    init.add_argument("--model", metavar="NAME|PATH", help="an entry of the catalogue, or a local model")
    add("check", _check, "check what people wrote in data/", _CHECK)
    archive = add("archive", _archive, "keep stored toxicity scores as a file", _ARCHIVE)
    archive.add_argument("--scorer", help="only this scorer's scores (default: all)")
    archive.add_argument("--out", type=Path, help="the file, *.jsonl.gz (default: data/archive/<scorer>.jsonl.gz)")
    archive.add_argument("--calibration", type=Path, metavar="CSV", help="print how the scorers compare; a CSV, too")
    rate.add_arguments(add("rate", _check, "have people rate completions", rate.DESCRIPTION), _enter_root)
    power = add("power", _power, "what a plan of ratings can find, and its cost", _POWER)
    power.add_argument("--difference", type=float, default=0.4, metavar="POINTS", help="to be found (default: 0.4)")
    power.add_argument("--power", type=float, default=0.8, help="how often it must be found (default: 0.8)")
    for name in ("prompts", "samples", "raters", "seeds"):
        power.add_argument(f"--{name}", type=int, metavar="N", help="instead of the present plan's")
    power.add_argument("--seconds", type=float, help="that rating one text takes")
    ratings = add("ratings", _ratings, "take ratings to and from other tools", _RATINGS)
    ratings.add_argument("direction", choices=("export", "import"), help="export the texts to rate, or import answers")
    ratings.add_argument("file", type=Path, help="the file to write, or to read")
    ratings.add_argument("--format", choices=("label-studio", "potato", "csv"), default="csv", help="(default: csv)")
    ratings.add_argument("--with-ratings", action="store_true", help="export those that are in data/ratings, too")
    ratings.add_argument("--rater", metavar="NAME", help="who gave the answers, instead of the names in the file")
    models = add("models", _models, "list the models of params.yaml", _MODELS)
    models.add_argument("--pin", metavar="NAME", help="write the hash of a local model into params.yaml")
    add("status", _status, "show what is out of date, and why", _STATUS)
    compare = add("compare", _compare, "two sweeps side by side", _COMPARE)
    for name in ("a", "b"):
        compare.add_argument(name, metavar=name.upper(), help="a folder, a git revision or an experiment")
    compare.add_argument("--page", type=Path, metavar="FILE", help="write the comparison as a page, too (HTML)")
    export = add("export", _export, "a checkpoint with a model card", _EXPORT)
    export.add_argument("model", metavar="MODEL")
    export.add_argument("arm", metavar="ARM", help="a tuned one, such as values")
    export.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
    texts = add("export-data", _export_data, "the datasets in the form that the hub reads", _EXPORT_DATA)
    texts.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
    texts.add_argument("--license", metavar="ID", help="of the texts, such as cc-by-4.0, for the card")
    completion = add("completion", _completion, "print a script that completes commands in a shell", _COMPLETION)
    completion.add_argument("shell", choices=["bash", "zsh", "tcsh"])
    return parser


_SWEEP = (
    "Run the stages of dvc.yaml that are out of date, each as soon as what it needs is there. Finished "
    "stages are never run again, so a stopped sweep goes on where it was. PALMS_SLOTS=gpu=2,cpu=4 sets how "
    "many run at once; with PREFECT_API_URL it reports to that Prefect server. With --study or --set it works in a "
    "tree of its own, .cache/sweeps/NAME, and ends as a DVC experiment of that name."
)
_TUNE = (
    "Try the recipes of `tune` in params.yaml on a model: on the validation prompts how much the values arm gains over "
    "base and control, and what it harms. Prints a table, and writes the recipe that it recommends into the model's "
    "entry. Its trainings are kept, so that it goes on where it was stopped."
)
_CHECK = (
    "Check the values, prompts and probes in data/ for mistakes, in a second and without a model. Where a sweep has "
    "measured these texts under the base models, it says how well a model can learn from them, too."
)
_ARCHIVE = (
    "Write the stored toxicity scores, with the services' own answers, to a file that DVC tracks and that the "
    "scorer `recorded` reads, so that they outlive the service."
)
_POWER = (
    "Before anyone is paid: what difference in points the present plan of ratings finds, how often it finds the one "
    "that is asked for, which plans would, and how many hours of rating they cost. Where ratings are closed, their own "
    "spread is used; else an assumed one."
)
_RATINGS = (
    "Write the texts to rate for Label Studio, Potato or a spreadsheet, without model or arm, or read the answers that "
    "come back into data/ratings, a file a rater."
)
_MODELS = (
    "List the models of params.yaml, what memory fine-tuning and generation need, and whether this machine has it; "
    "a star marks those that sweep.models chooses."
)
_INIT = (
    "Make a folder with the graph, its code and parameters, and example texts in English, Spanish or German that you "
    "replace by yours. It is a git repository of its own. What no flag says is asked, where there is a terminal."
)
_COMPARE = (
    "Show what differed between two finished sweeps in parameters, texts and code, and what was found in each, with "
    "intervals. It needs only what is in git, so nothing is pulled or run."
)
_EXPORT = (
    "Write a tuned checkpoint of the finished sweep to a folder, with a model card (base, data, recipe, findings, "
    "limits) and the report, ready for `hf upload`."
)
_EXPORT_DATA = (
    "Write values, control and prompts to a folder that `datasets.load_dataset` and the hub read, with a dataset card."
)
_COMPLETION = (
    "For bash: `palms completion bash > ~/.local/share/bash-completion/completions/palms`; for zsh, into a file "
    "`_palms` in a folder of $fpath."
)
_STATUS = (
    "Show in one screen which stages are done, running, out of date or missing, why, and how long the rest should take "
    "by what it took before."
)
_DEPLOY = (
    "Register sweeps of this working tree at the Prefect server of PREFECT_API_URL, which starts them by a schedule or "
    "when somebody fills in its form. Each works in a clone of a commit, .cache/sweeps/NAME, one at a time, never in "
    "this tree, and ends as a DVC experiment of its name. Run it again after a change of `models` or `studies`."
)


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"palms {version('palms')}")
        parser.exit()


def _sweep(arguments: argparse.Namespace) -> int:
    from flows import tree_lock

    root = home = _enter_root()
    start.stop_at_once()
    if arguments.name and not (arguments.study or arguments.set):
        raise InputError("--name is of a sweep in a tree of its own: give --study or --set, too")
    if arguments.study or arguments.set:
        root = _own_tree(root, arguments)
    for note in tree_lock.tidy(root):
        print(note)
    if arguments.dry_run:
        return _show(root, arguments.targets, start.foresee(root, arguments.targets))
    keep_in = home if root != home and not arguments.targets else None
    waits, push = arguments.wait_for_ratings, arguments.push
    return start.run(root, arguments.targets, verbose=arguments.verbose, waits=waits, home=keep_in, push=push)


def _own_tree(root: Path, arguments: argparse.Namespace) -> Path:
    """The working tree of a sweep with other parameters, entered."""
    from flows import studies, workspace
    from tasks.runtime import config

    overrides = studies.overrides(config.read_params(), arguments.study, studies.settings(arguments.set))
    name = studies.checked(arguments.name or arguments.study or studies.name_of(overrides))
    return workspace.enter(root, name, overrides)


def _tune(arguments: argparse.Namespace) -> int:
    from flows import references, tune

    root = _enter_root()
    start.stop_at_once()
    references.check_tree(root)

    def sweep(tree: Path, targets: list[str]) -> int:
        return start.run(tree, targets, verbose=arguments.verbose)

    return tune.tune(root, arguments.model, sweep, write=not arguments.dry_run)


def _check(_arguments: argparse.Namespace) -> int:
    root = _enter_root()
    from flows import references
    from tasks.curation.check import check_tree

    references.check_tree(root)
    return check_tree(Path())  # relative, so that problems name data/… and not where somebody keeps the tree


def _archive(arguments: argparse.Namespace) -> int:
    root = _enter_root()
    from tasks.scorers.archive import archive, compare

    out: Path = arguments.out or Path("data/archive") / f"{arguments.scorer or 'scores'}.jsonl.gz"
    print(archive(out, arguments.scorer), flush=True)
    done = subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", str(out)], cwd=root, check=False)
    if done.returncode:
        raise WorkError(f"{out} is written, but dvc could not add it; run `dvc add {out}`")
    print(f"DVC tracks it: commit {out}.dvc, and `dvc push` keeps the file")
    if arguments.calibration:
        print(f"\n{compare(out.parent, arguments.calibration)}\n\n{arguments.calibration}: the same as CSV")
    return 0


def _power(arguments: argparse.Namespace) -> int:
    from tasks.raters.planning import Asked, report

    root = _enter_root()
    names = ("difference", "power", "prompts", "samples", "raters", "seeds", "seconds")
    values = {name: getattr(arguments, name) for name in names}
    if wrong := [name for name, value in values.items() if value is not None and value <= 0]:
        raise InputError(f"--{wrong[0]}: expected a number above 0, found {values[wrong[0]]:g}")
    if values["power"] >= 1:
        raise InputError(f"--power: expected a number below 1, found {values['power']:g}")
    for line in report(root, Asked(**values)):
        print(line)
    return 0


def _ratings(arguments: argparse.Namespace) -> int:
    from tasks.raters import handover

    root = _enter_root()
    if arguments.direction == "export":
        print(handover.export_texts(root, arguments.file, arguments.format, with_ratings=arguments.with_ratings))
    else:
        print(handover.import_answers(root, arguments.file, arguments.format, arguments.rater))
    return 0


def _init(arguments: argparse.Namespace) -> int:
    from flows import init

    def answer(question: str) -> str:
        return input(question).strip() if sys.stdin.isatty() else ""

    flags = (arguments.language, arguments.categories, arguments.model)
    print(init.init(arguments.folder, init.ask(answer, *flags)))
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    from flows import compare, compare_page, dag

    found = compare.compare(dag.find_root(Path.cwd()), arguments.a, arguments.b)
    width = terminal.width_of(sys.stdout)
    print(terminal.wrapped("\n".join(compare.lines(found, width)), width))
    if arguments.page is not None:
        compare_page.write(found, arguments.page)
        print(f"\n{arguments.page}: the same as a page")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from flows import export

    folder = arguments.folder.absolute()  # as seen from where the user is
    print(export.export(_enter_root(), arguments.model, arguments.arm, folder))
    return 0


def _export_data(arguments: argparse.Namespace) -> int:
    from tasks.cards import dataset

    folder = arguments.folder.absolute()
    _enter_root()
    dataset.export(folder, arguments.license)
    print(f"{folder}: the datasets and their card\nnext: hf upload OWNER/NAME {folder} --repo-type dataset")
    return 0


def _completion(arguments: argparse.Namespace) -> int:
    import shtab

    print(shtab.complete(_parser(), arguments.shell))
    return 0


def _models(arguments: argparse.Namespace) -> int:
    from flows import models, references
    from tasks.runtime import config

    references.check_tree(_enter_root())
    if arguments.pin is not None:
        from flows import pin

        print(pin.pin(arguments.pin))
        return 0
    width = terminal.width_of(sys.stdout)
    print(terminal.wrapped("\n".join(models.lines(config.read_params(), width)), width))
    return 0


def _status(_arguments: argparse.Namespace) -> int:
    return _show(_enter_root())


def _show(root: Path, targets: Sequence[str] = (), survey: Any = None) -> int:
    from flows import status

    width = terminal.width_of(sys.stdout)
    print(terminal.wrapped("\n".join(status.screen(root, targets, width, survey)), width))
    return 0


def _deploy(arguments: argparse.Namespace) -> int:
    root = _enter_root()
    from flows import server, studies

    if server.configured() is None:
        raise InputError(
            "a deployment needs a Prefect server that stays: set PREFECT_API_URL (`make ui` starts one, whose API is "
            "http://127.0.0.1:4200/api)"
        )
    with server.api(root, lambda: None):
        start.import_flow()
        from flows import deployment

        wish = deployment.Wish(
            study=arguments.study,
            values=studies.settings(arguments.set) or None,
            stages=tuple(arguments.targets),
            revision=arguments.revision,
            push=arguments.push,
        )
        name = arguments.name or arguments.study or root.name
        print(deployment.deploy(root, name, arguments.pool, wish, arguments.cron, arguments.timezone))
    return 0


def _enter_root() -> Path:
    from flows.dag import find_root

    root = find_root(Path.cwd())
    os.chdir(root)
    return root


if __name__ == "__main__":
    sys.exit(main())

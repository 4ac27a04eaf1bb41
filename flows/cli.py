"""The command `palms`: run the experiment graph, check its input, list its models, show what is stale."""

import argparse
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from flows.console import console, hang_up
from tasks.runtime import machine
from tasks.runtime.errors import InputError, PalmsError, WorkError
from tasks.runtime.imports import importing

# Prefect and DVC take time to import: only the command that needs one pays for it.


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 1 when work failed, 2 for wrong input, 130 or 143 when stopped."""
    machine.prepare()
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as exc:  # argparse has said what is wrong
        return exc.code if isinstance(exc.code, int) else 2
    try:
        code: int = arguments.run(arguments)
        return code
    except PalmsError as exc:
        print(f"error: {exc}", file=sys.stderr)
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
        epilog="Start with `palms check`, then `palms sweep`. Exit codes: 0 all is well, 1 work failed, "
        "2 the input is wrong, 130 or 143 stopped.",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, run: Callable[..., int], text: str, description: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=description)
        command.set_defaults(run=run)
        return command

    sweep = add("sweep", _sweep, "run every stage that is out of date", _SWEEP)
    sweep.add_argument("targets", nargs="*", metavar="TARGET", help="finetune@a-values, or finetune for all")
    sweep.add_argument("-v", "--verbose", action="store_true", help="print what the stages print, too")
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
    add("check", _check, "check what people wrote in data/", _CHECK)
    archive = add("archive", _archive, "keep stored toxicity scores as a file", _ARCHIVE)
    archive.add_argument("--scorer", help="only this scorer's scores (default: all)")
    archive.add_argument("--out", type=Path, help="the file, *.jsonl.gz (default: data/archive/<scorer>.jsonl.gz)")
    archive.add_argument("--calibration", type=Path, metavar="CSV", help="print how the scorers compare; a CSV, too")
    add("models", _models, "list the models of params.yaml", _MODELS)
    add("status", _status, "show what is out of date, and why", _STATUS)
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
_MODELS = (
    "List the models of params.yaml, what memory fine-tuning and generation need, and whether this machine has it; "
    "a star marks those that sweep.models chooses."
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
    _stop_at_once()
    if arguments.name and not (arguments.study or arguments.set):
        raise InputError("--name is of a sweep in a tree of its own: give --study or --set, too")
    if arguments.study or arguments.set:
        root = _own_tree(root, arguments)
    for note in tree_lock.tidy(root):
        print(note)
    keep_in = home if root != home and not arguments.targets else None
    return _run(root, arguments.targets, verbose=arguments.verbose, home=keep_in, push=arguments.push)


def _run(root: Path, targets: list[str], *, verbose: bool, home: Path | None = None, push: bool = False) -> int:
    """Sweeps `root`, and keeps the result in `home` as an experiment. Returns the exit code.

    What can be wrong is found here, before a server is started; and where there is nothing to run and nobody's server
    to tell it to, none is.
    """
    from flows import dag, meta, outcome, server, slots, workspace
    from tasks.runtime import config

    began = time.monotonic()
    survey = dag.survey(root)
    stages = dag.select(survey.stages, targets)
    metas = [meta.Meta.of(stage) for stage in stages]
    if any("python -m tasks" in stage.cmd for stage in stages):  # also what no stage that runs would look at
        config.check(config.read_params())
    slots.Slots.of_this_machine(os.environ)
    names = [stage.name for stage in stages]
    if not survey.unchanged().issuperset(names) or server.maybe_configured():
        return _run_flow(survey, targets, verbose=verbose, home=home, push=push)
    ended = dict.fromkeys(names, outcome.Result("cached"))
    print(f"{outcome.totals(ended, time.monotonic() - began)}\n{outcome.ending(root, metas)}".rstrip())
    if home is not None:
        workspace.finish(home, root, print, with_push=push)
    return 0


def _stop_at_once() -> None:
    """Until there is a flow, a signal ends the process; but a shell has what it starts in the background ignore
    SIGINT."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, _stopped)


def _own_tree(root: Path, arguments: argparse.Namespace) -> Path:
    """The working tree of a sweep with other parameters, entered."""
    from flows import studies, workspace
    from tasks.runtime import config

    overrides = studies.overrides(config.read_params(), arguments.study, studies.settings(arguments.set))
    name = studies.checked(arguments.name or arguments.study or studies.name_of(overrides))
    return workspace.enter(root, name, overrides)


def _tune(arguments: argparse.Namespace) -> int:
    from flows import tune

    root = _enter_root()
    _stop_at_once()

    def sweep(tree: Path, targets: list[str]) -> int:
        return _run(tree, targets, verbose=arguments.verbose)

    return tune.tune(root, arguments.model, sweep, write=not arguments.dry_run)


def _run_flow(survey: Any, targets: list[str], *, verbose: bool, home: Path | None, push: bool) -> int:
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from flows import server, workspace
    from flows.stopping import Stop
    from tasks.runtime import config

    server.be_patient()
    print("starting …", flush=True)
    with server.api(survey.root, _import_flow):
        _import_flow()
        from prefect.exceptions import Pause
        from prefect.flow_engine import run_flow

        from flows import runs, sweep

        _quiet_prefect()
        console.shown, console.verbose = True, verbose
        Stop.hard_exit = 9.0
        sweep.seen = survey
        params = config.read_params() if (survey.root / config.PARAMS_FILE).exists() else {}
        models = runs.models_of(params)
        name = runs.name_of(models, workspace.commit_of(survey.root, "HEAD"))
        parameters = {"targets": targets or None, "home": None if home is None else str(home), "push": push}
        with runs.of_the_command_line(sweep.sweep, name, models, parameters) as run:
            try:
                state = run_flow(sweep.sweep, flow_run=run, parameters=parameters, return_type="state")
            except Pause:
                print("suspended in Prefect; `palms sweep` goes on from the finished stages", file=sys.stderr)
                return 1
    return _exit_code(state)


def _import_flow() -> None:
    with importing():
        import flows.runs
        import flows.sweep  # noqa: F401


def _exit_code(state: Any) -> int:
    from flows.stopping import EXIT_CODES
    from flows.sweep import INPUT_ERROR

    if state.is_completed():
        return 0
    if state.is_cancelled():
        return EXIT_CODES.get(state.message, 1)
    if state.is_crashed():
        print(f"error: the flow ended unexpectedly: {state.message}", file=sys.stderr)
    return 2 if state.name == INPUT_ERROR else 1


def _stopped(signum: int, _frame: FrameType | None) -> None:
    """Ends a sweep that has no flow yet, or none any more. An exception could come up anywhere in a library's code,
    and be taken for its error; the server dies with this process."""
    os.write(2, f"stopped by {signal.Signals(signum).name}\n".encode())
    os._exit(128 + signum)


def _quiet_prefect() -> None:
    """Of Prefect's own lines the console shows what warns and is not about a run: the sweep says that itself."""

    def warns(record: logging.LogRecord) -> bool:
        of_runs = record.name.startswith(("prefect.flow_runs", "prefect.task_runs"))
        return record.levelno >= logging.WARNING and not of_runs

    for handler in logging.getLogger().handlers:
        handler.addFilter(warns)


def _check(_arguments: argparse.Namespace) -> int:
    _enter_root()
    from tasks.curation.check import check_tree

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


def _models(_arguments: argparse.Namespace) -> int:
    from flows import models
    from tasks.runtime import config

    _enter_root()
    params = config.read_params()
    print("\n".join(models.lines(params)))
    chosen = (params.get("sweep") or {}).get("models") or []
    if unknown := [str(name) for name in chosen if name not in params["models"]]:
        raise InputError(f"params.yaml: sweep.models names {', '.join(unknown)}, which `models` lacks")
    return 0


def _status(_arguments: argparse.Namespace) -> int:
    root = _enter_root()
    from flows import status

    print(status.screen(root))
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
        _import_flow()
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

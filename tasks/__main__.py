"""`python -m tasks <stage> …`: the command that every stage of dvc.yaml runs.

It declares the stage's flags, remembers what the stage reads (`guard`), calls the stage's `main`, keeps how long
that took (`durations`), and turns errors into clear lines and an exit code.
"""

import argparse
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from tasks.runtime import config, durations, launch, machine, ranks
from tasks.runtime.command import Command, Job
from tasks.runtime.errors import InputError, PalmsError
from tasks.runtime.guard import Guard
from tasks.runtime.imports import importing
from tasks.runtime.launchers import INSIDE
from tasks.runtime.parent import die_with_parent
from tasks.runtime.proxies import past_proxies
from tasks.runtime.sections import NAME, NAME_RULE
from tasks.settings.resources import launcher_of, ranks_of

STAGES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py")))  # a stage is a module here
ENVIRONMENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TQDM_DISABLE": "1",  # stages show their own sparse progress; thousands of bar lines would drown the log
    "TOKENIZERS_PARALLELISM": "false",
    "THP_MEM_ALLOC_ENABLE": "1",  # torch takes huge pages where Linux has them: a tenth to a quarter faster on CPUs
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one stage. Returns 0, 1 (the work failed) or 2 (the input is wrong)."""
    argv = list(sys.argv[1:] if argv is None else argv)
    machine.prepare()
    if not launch.is_rank():
        return _run_told(argv)
    try:
        code = _run_told(argv)
    except SystemExit as stopped:  # by a signal; every `finally` has run
        code = stopped.code if isinstance(stopped.code, int) else 1
    if code:  # at once, so that the cause is the first to go: the others notice that this rank is gone by that alone
        sys.stdout.flush()
        os._exit(code)
    return code


def _run_told(argv: list[str]) -> int:
    """Runs one stage, and says why if it fails."""
    try:
        return _run(argv)
    except PalmsError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    except MemoryError:
        print("error: out of memory; lower the stage's batch size", file=sys.stderr, flush=True)
        return 1
    except Exception as error:
        if refusal := machine.refusal(error):
            print(f"error: {refusal}", file=sys.stderr, flush=True)
            return InputError.exit_code
        if launch.is_rank():
            time.sleep(2 * ranks.SETTLE)  # it may fail only because another did, and is ended meanwhile
        # ours to mend: the traceback helps us, the last line helps the reader
        traceback.print_exc()
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 1


def _run(argv: list[str]) -> int:
    if not argv or argv[0] not in STAGES:
        given = f"'{argv[0]}'" if argv else "nothing"
        raise InputError(f"expected a stage ({', '.join(STAGES)}), found {given}")
    die_with_parent()
    if launch.is_rank():
        ranks.watch_parent()
        ranks.adopt()
    signal.signal(signal.SIGTERM, _terminated)
    stage, started = argv[0], time.monotonic()
    params = config.read_params()
    guard = Guard.of_modules(Path(__file__).parent, params)
    config.check(params)
    if INSIDE not in os.environ and (launched := launcher_of(argv, params)):
        from tasks.runtime.launchers.hold import launch_job

        return launch_job(*launched)
    if (wanted := ranks_of(argv, params)) and not launch.is_rank():
        return ranks.run(argv, wanted.processes, wanted.nodes)
    for name, value in (ENVIRONMENT | launch.environment()).items():
        os.environ.setdefault(name, value)
    os.environ.update(past_proxies(os.environ))
    with importing():
        module = importlib.import_module(f"tasks.{stage}")
    command: Command = module.COMMAND
    paths, names = _parse(stage, command, argv[1:])
    keys = [key.format(**names) for key in command.params]
    guard = guard.watching([paths[flag] for flag in command.inputs], keys)
    module.main(Job(command, paths, names, params))
    guard.verify([paths[flag] for flag in command.outputs] if launch.rank() == 0 else [])
    if launch.rank() == 0:
        durations.record(durations.stage_name(stage, names.values()), time.monotonic() - started)
    return 0


def _terminated(signum: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signum)  # so that temporary files are removed on the way out


def _parse(stage: str, command: Command, argv: list[str]) -> tuple[dict[str, Path], dict[str, str]]:
    parser = argparse.ArgumentParser(prog=f"python -m tasks {stage}", description=command.help)
    for flag, text in {**command.inputs, **command.outputs}.items():
        parser.add_argument(f"--{flag}", type=Path, required=True, help=text, metavar="PATH")
    for flag, text in command.names.items():
        parser.add_argument(f"--{flag}", required=True, help=text, metavar="NAME")
    given = vars(parser.parse_args(argv))
    paths = {flag: given[flag.replace("-", "_")] for flag in (*command.inputs, *command.outputs)}
    names = {flag: given[flag] for flag in command.names}
    for flag, name in names.items():
        if not NAME.fullmatch(name):
            raise InputError(f"--{flag} {name}: {NAME_RULE}")
    return paths, names


if __name__ == "__main__":
    if sys.flags.optimize > 1:  # transformers reads docstrings, which `python -OO` leaves out
        os.environ.pop("PYTHONOPTIMIZE", None)
        os.execv(sys.executable, [sys.executable, "-m", "tasks", *sys.argv[1:]])
    sys.exit(main())

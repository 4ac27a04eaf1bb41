"""The two ways a run ends badly, and the exit codes that tell them apart."""


class PalmsError(Exception):
    """One clear line for the person who started the run: what was found, where, and what to do."""

    exit_code = 1


class WorkError(PalmsError):
    """The work failed although the input was right (exit code 1)."""


class InputError(PalmsError):
    """The input is wrong: parameters, data, a missing package or a missing setting (exit code 2)."""

    exit_code = 2


def one_line(error: BaseException) -> str:
    """An error's text on one line, short."""
    return " ".join(str(error).split())[:300]

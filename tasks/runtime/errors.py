"""The two ways a run ends badly, and the exit codes that tell them apart."""

import difflib
from collections.abc import Iterable

_LISTED = 8  # names: more are no help to who looks for one


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


def nearest(name: str, known: Iterable[str], likeness: float = 0.7) -> str | None:
    """Which of the known names was probably meant; one less alike than `likeness` was not."""
    close = difflib.get_close_matches(name, list(known), 1, likeness)
    return close[0] if close else None


def instead(name: str, known: Iterable[str]) -> str:
    """What to say of a name that is not among the known ones: which was probably meant, or else the first of them."""
    names = list(map(str, known))
    if close := nearest(str(name), names):
        return f"did you mean '{close}'?"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"known are {', '.join(names[:_LISTED])}{more}" if names else "there is none"

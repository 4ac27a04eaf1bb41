"""What `palms sweep` prints, whatever level and handlers Prefect's logging has: that is for what Prefect keeps."""

import os
import re
import sys

from tasks.runtime import terminal

BAR = re.compile(r"^\w+ (?=\[[#.]+\] \d+/\d+ )")  # how a long stage shows how far it is, after what it does


class Console:
    """The sweep's own lines, and of the stages' the bars, or all of them where it is `verbose`."""

    verbose = False
    shown = False  # only the command line turns it on: a flow that is served has no terminal

    def say(self, text: str) -> None:
        """Print lines, broken between words where it is a terminal; where nobody reads any more (`palms sweep | head`)
        or the disk is full, the sweep goes on."""
        self._print(terminal.wrapped(text, terminal.width_of(sys.stdout)))

    def _print(self, text: str) -> None:
        if self.shown:
            try:
                sys.stdout.write(f"{text}\n")
                sys.stdout.flush()
            except OSError:
                self.shown = False
                hang_up()

    def stage_says(self, stage: str, line: str) -> None:
        """Print a stage's line, if it is one to be seen; it begins with the stage's name, as several run at once."""
        if bar := BAR.match(line):
            self._print(terminal.bar(f"{stage} {line[bar.end() :]}", terminal.width_of(sys.stdout)))
        elif self.verbose:
            self.say(f"{stage}: {line}")


def hang_up() -> None:
    """Standard output leads nowhere from now on, also what is still to be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


console = Console()

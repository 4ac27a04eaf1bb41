import gc
import subprocess
import sys
from pathlib import Path

from tasks.runtime.imports import importing

ROOT = Path(__file__).parents[2]
PROBE = """
import atexit, gc, weakref
from tasks.runtime.imports import importing

class Loop:
    def __init__(self) -> None:
        self.me = self

atexit.register(lambda: print(len(gc.get_objects()) < looked_at / 2))  # the last thing that is done
with importing():
    print(not gc.isenabled())
    kept = [Loop() for _ in range(3)]
print(gc.isenabled(), kept[0] not in gc.get_objects())
later = weakref.ref(Loop())
gc.collect()
print(later() is None)
more = [[number] for number in range(1000)]
looked_at = len(gc.get_objects())
"""


def test_what_is_imported_is_set_aside_and_what_comes_later_is_collected() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["True"] * 5, "")


def test_a_failed_import_leaves_the_collector_on() -> None:
    try:
        with importing():
            raise ImportError("no such library")
    except ImportError:
        pass
    assert gc.isenabled()

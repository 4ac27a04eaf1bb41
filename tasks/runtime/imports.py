"""Importing large libraries without a search for garbage among them.

torch, transformers and Prefect make hundreds of thousands of objects that live as long as the process. Python's
collector looks through them again and again while they are imported, and once more at the end: a quarter of
what a stage on a small model takes.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """What is made in the block is never looked at by the garbage collector, nor is anything at exit."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        atexit.unregister(gc.freeze)
        atexit.register(gc.freeze)

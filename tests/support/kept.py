"""What was made once is written again where the same is asked for: many tests want the same sweep and change it."""

import tempfile
from collections.abc import Callable
from pathlib import Path

_kept: dict[str, dict[str, bytes]] = {}  # the files by their names in the folder, by key


def once(folder: Path, key: object, write: Callable[[Path], None]) -> None:
    """The files that `write` makes in an empty folder, in this `folder`; it is called once for a key."""
    if repr(key) not in _kept:
        with tempfile.TemporaryDirectory() as empty:
            write(Path(empty))
            made = [path for path in Path(empty).rglob("*") if path.is_file()]
            _kept[repr(key)] = {str(path.relative_to(empty)): path.read_bytes() for path in made}
    for name, content in _kept[repr(key)].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

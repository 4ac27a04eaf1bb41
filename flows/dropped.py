"""The outputs of stages that the graph has no more: of a model or an arm that was taken out of the sweep.

Folders such as data/made/samples are inputs as a whole: what dropped models left in them would be part of their hashes,
and a clone, which has none of it, would find the finished sweep out of date.
"""

import shutil
from pathlib import Path, PurePath

from flows import dag, lock_file, tree_lock
from flows.dag import Survey


def put_away(survey: Survey) -> str:
    """Removes them from the working tree where DVC's cache holds them, from which they come back with their model.

    Returns what was removed, for the user; "" where there was nothing. Raises InputError where a sweep works in the
    tree.
    """
    root, names = survey.root, {stage.name for stage in survey.stages}
    made = lock_file.outs(root)
    wanted = [path for name in made.keys() & names for path in made[name]]
    gone = {path: md5 for name in made.keys() - names for path, md5 in made[name].items() if (root / path).exists()}
    left = {path: md5 for path, md5 in gone.items() if not any(_overlap(path, other) for other in wanted)}
    if not left:
        return ""
    cached = dag.in_cache(root, left.values())
    with tree_lock.locked(root):
        removed = [path for path, md5 in left.items() if md5 in cached]
        for path in removed:
            _remove(root / path, root)
    if not removed:
        return ""
    return (
        f"{len(removed)} outputs of models or arms that the sweep has no more, such as {min(removed)}, "
        "are put away in DVC's cache; they come back with them"
    )


def _overlap(one: str, other: str) -> bool:
    """Whether one of two paths is the other or lies in it."""
    a, b = PurePath(one), PurePath(other)
    return a.is_relative_to(b) or b.is_relative_to(a)


def _remove(path: Path, root: Path) -> None:
    """Removes an output and the folders of `root` that held nothing else."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    for folder in path.parents:
        if folder == root or any(folder.iterdir()):
            return
        folder.rmdir()

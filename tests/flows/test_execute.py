"""The environment of a stage: keys from Prefect's Secret blocks, on a real server, and what the user set."""

import subprocess
import sys
from pathlib import Path

from flows.execute import stage_env
from tests.support.flow_trees import environment

CODE = """
import os
from tasks.runtime.imports import importing
with importing():
    from prefect.blocks.system import Secret
from flows.execute import load_keys
from flows.meta import Meta
Secret(value='s3cret-value').save('some-key', overwrite=True)
metas = [Meta(secrets=(("SOME_KEY", "some-key"), ("OTHER_KEY", "no-such-block")))]
print(load_keys(metas, os.environ))
print(load_keys(metas, {**os.environ, "SOME_KEY": "mine"}))
"""


def test_a_block_is_read_a_missing_one_is_left_out_and_the_environment_wins(prefect_url: str, tmp_path: Path) -> None:
    env = environment(PREFECT_API_URL=prefect_url, PREFECT_HOME=str(tmp_path))
    command = [sys.executable, "-W", "ignore", "-c", CODE]
    printed = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    assert printed.splitlines() == ["{'SOME_KEY': 's3cret-value'}", "{}"]


def test_what_the_user_set_stays() -> None:
    user = {"OMP_NUM_THREADS": "7", "TQDM_DISABLE": "0", "PATH": "/x", "CUDA_VISIBLE_DEVICES": "0,1"}
    env = stage_env(user, {"OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": "1"})
    assert (env["OMP_NUM_THREADS"], env["TQDM_DISABLE"], env["CUDA_VISIBLE_DEVICES"]) == ("7", "0", "1")
    assert env["PATH"].endswith(":/x")

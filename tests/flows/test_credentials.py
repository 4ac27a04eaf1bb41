"""Keys from Prefect's Secret blocks, on a real server."""

import subprocess
import sys
from pathlib import Path

import pytest
from flow_trees import environment

from flows.dag import Stage
from flows.meta import Meta
from tasks.errors import InputError

SAVE = "from prefect.blocks.system import Secret; Secret(value='s3cret-value').save('some-key', overwrite=True)"
LOAD = """
from flows import credentials
from flows.meta import Meta
print(credentials.load([Meta(secrets=(("SOME_KEY", "some-key"), ("OTHER_KEY", "no-such-block")))]))
"""


def run(code: str, url: str, home: Path, **env: str) -> str:
    command = [sys.executable, "-W", "ignore", "-c", code]
    variables = environment(PREFECT_API_URL=url, PREFECT_HOME=str(home), **env)
    return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout.strip()


def test_a_block_is_read_a_missing_one_is_left_out_and_the_environment_wins(prefect_url: str, tmp_path: Path) -> None:
    run(SAVE, prefect_url, tmp_path)
    assert run(LOAD, prefect_url, tmp_path) == "{'SOME_KEY': 's3cret-value'}"
    assert run(LOAD, prefect_url, tmp_path, SOME_KEY="mine") == "{}"


@pytest.mark.parametrize(
    ("secrets", "message"),
    [(["KEY"], "with the name of a Secret block"), ({"MY_ACCESS": "block"}, "'MY_ACCESS'; expected names that end in")],
)
def test_a_wrong_meta_is_named(secrets: object, message: str) -> None:
    stage = Stage(name="toxicity", group="toxicity", meta={"secrets": secrets})
    with pytest.raises(InputError, match=rf"stage toxicity: meta\.secrets .*{message}"):
        Meta.of(stage)

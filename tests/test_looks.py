"""looks: one row for each version of dataset and results, whatever is run again."""

from pathlib import Path

from tasks.looks import COMMAND, main
from tasks.runtime.command import Job


def test_a_row_more_only_for_what_is_new(tmp_path: Path) -> None:
    dataset, contrasts, log = tmp_path / "values", tmp_path / "contrasts.csv", tmp_path / "looks.csv"
    job = Job(COMMAND, {"dataset": dataset, "contrasts": contrasts, "log": log}, {}, {})
    dataset.mkdir()

    def rows(samples: str, results: str) -> list[list[str]]:
        (dataset / "health.yaml").write_text(samples)
        contrasts.write_text(results)
        main(job)
        return [line.split(",") for line in log.read_text().splitlines()[1:]]

    assert len(rows("first", "a")) == 1
    assert len(rows("first", "a")) == 1, "the same once more"
    assert len(rows("first", "b")) == 2
    assert len(rows("revised", "c")) == 3
    last = rows("first", "a")
    assert [len({row[column] for row in last}) for column in (0, 1)] == [2, 3]

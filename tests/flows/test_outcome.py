from flows import outcome
from flows.dag import Stage
from flows.outcome import Result

NAMES = ("fetch", "train@a", "train@b", "test", "report")


def failures(**ended: Result) -> list[str]:
    results = {name.replace("_", "@"): result for name, result in ended.items()}
    return outcome.failures({name: Stage(name, name.split("@")[0]) for name in NAMES}, results).split("\n")


def failed(code: int, error: str, *last: str) -> Result:
    return Result("failed", 1.0, code, error, last)


def test_a_mistake_that_several_stages_met_is_told_once_without_their_last_lines() -> None:
    wrong = failed(2, "error: params.yaml: unknown key 'x'", "Running stage", "error: params.yaml: unknown key 'x'")
    assert failures(train_b=wrong, train_a=wrong, test=Result("not run", error="train@a failed")) == [
        "train@a, train@b: error: params.yaml: unknown key 'x'",
        "not run, for want of these: test",
    ]


def test_work_that_failed_shows_every_stage_s_last_lines() -> None:
    lost = "its command exited with 1"
    assert failures(fetch=Result("done"), train_a=failed(1, lost, "one"), train_b=failed(1, lost, "two", "three")) == [
        f"train@a, train@b: {lost}",
        "the last lines of train@a:",
        "  one",
        "the last lines of train@b:",
        "  two",
        "  three",
    ]


def test_a_wrong_input_without_a_line_of_its_own_shows_what_there_is() -> None:
    silent = failed(2, "its command exited with 2", "python: can't open file 'missing.py'")
    assert "  python: can't open file 'missing.py'" in failures(fetch=silent)


def test_without_a_failure_nothing_is_failures() -> None:
    assert failures(fetch=Result("done"), train_a=Result("cached")) == [""]


def test_every_problem_of_a_wrong_input_is_failures() -> None:
    first, dvc = "error: a.yaml: a-01: missing-key", "ERROR: failed to reproduce 'test': exited with 2"
    several = failed(2, first, "Running stage 'test':", first, "b.yaml: b-07: empty", "b.yaml: b-08: empty", dvc)
    assert failures(test=several) == [f"test: {first}", "  b.yaml: b-07: empty", "  b.yaml: b-08: empty"]
    scrolled = failed(2, first, "y.yaml: y-01: empty", "z.yaml: z-01: empty", dvc)
    assert failures(test=scrolled) == [f"test: {first}", "  y.yaml: y-01: empty", "  z.yaml: z-01: empty"]
    other = failed(2, first, first, "c.yaml: c-01: empty", dvc)  # begins alike
    assert failures(train_a=several, train_b=other)[2:] == [
        "  b.yaml: b-08: empty",
        f"train@b: {first}",
        "  c.yaml: c-01: empty",
    ]


def test_the_message_of_a_failed_stage_has_its_last_lines_or_all_its_problems() -> None:
    lines = ("Running stage 'a':", "> echo 10%", "one", "two", "ERROR: failed to reproduce 'a'")
    assert outcome.message(failed(1, "killed by SIGKILL", *lines)) == "killed by SIGKILL\none\ntwo"
    problems = ("error: params.yaml: two problems", "  a", "  b", "ERROR: failed to reproduce 'a'")
    assert outcome.message(failed(2, problems[0], *problems)) == "error: params.yaml: two problems\n  a\n  b"

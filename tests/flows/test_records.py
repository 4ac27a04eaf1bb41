from flows.dag import Stage
from flows.records import failure


def test_a_failures_labels_name_stage_model_and_arm() -> None:
    stage = Stage("train@a-b", "train", item={"model": "a", "arm": "b"})
    event = failure(stage, "error: no", ["one", "error: no"])
    labels = {key: value for key, value in event["resource"].items() if key.startswith("palms.")}
    assert labels == {"palms.stage": "train", "palms.model": "a", "palms.arm": "b", "palms.error": "error: no"}
    assert event["payload"]["last_lines"] == "one\nerror: no"

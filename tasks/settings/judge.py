import urllib.parse
from typing import Annotated, Literal

from pydantic import NonNegativeFloat, PositiveFloat

from tasks.runtime.sections import Count, Name, matching, part, section

_WORD = "expected text without spaces at its ends"
Word = Annotated[str, matching(r"\S(.*\S)?", _WORD)]


@part
class JudgeModel:
    """A language model that rates: what it is, and where it is asked."""

    base_url: str | None  # of an OpenAI-compatible service, as http://127.0.0.1:8000/v1; null: JUDGE_ENDPOINT has it
    model: Word  # as the service calls it
    revision: Word  # commit of the weights, or the dated name of a hosted model: another one is another judge
    family: Word  # as in `models`; no judge is of the family of a model that it rates
    answer: Literal["json_schema", "json_object", "text"]  # how far the service can be held to a form
    reply_tokens: Count  # the longest reply

    def __post_init__(self) -> None:
        if self.base_url is not None and urllib.parse.urlsplit(self.base_url).scheme not in ("http", "https"):
            raise ValueError(f"base_url: expected a URL such as https://api.example.org/v1, found '{self.base_url}'")


@section("judge")
class Judge:
    """Which language models rate beside people, and how they are asked."""

    models: dict[Name, JudgeModel]  # by name; none is the normal state
    least_rated: Count  # texts rated by people, below which a judge carries no claim
    most_difference: NonNegativeFloat  # of the ratings by the scale in its two directions; beyond it: unsure
    max_tokens: Count  # that one run may spend on one judge
    qps: PositiveFloat  # queries a second that the quota allows
    in_flight: Count  # queries under way at once
    timeout: PositiveFloat  # seconds that a query may take
    attempts: Count  # queries for one text before it counts as missing
    max_wait: PositiveFloat  # seconds; a service that asks for a longer pause ends the run
    give_up_after: Count  # texts in a row without a reply

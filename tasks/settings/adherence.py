from typing import Annotated, Literal

from pydantic import Field

from tasks.runtime.sections import Count, section


@section("adherence")
class Adherence:
    """How the likelihood of desired and undesired answers is measured."""

    splits: Annotated[tuple[Literal["test", "validation"], ...], Field(min_length=1)]  # whose prompts are read
    batch_size: Count

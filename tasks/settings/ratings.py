from typing import Literal

from pydantic import NonNegativeInt

from tasks.runtime.sections import Count, Seed, section


@section("ratings")
class Ratings:
    """How people rate completions; set before the first of them rates."""

    split: Literal["test", "validation"]  # whose completions are rated
    raters_per_sample: Count  # people who rate each completion
    seed: Seed  # of who rates what, and in which order
    attention_every: Count  # texts between two attention items
    repeat_every: Count  # texts between two that are shown a second time
    check_attempts: Count  # at the comprehension check
    most_failed_attention: NonNegativeInt  # attention items that a rater may fail
    break_after_minutes: Count
    consent_version: Count  # of the content warning; raters agree to each version anew

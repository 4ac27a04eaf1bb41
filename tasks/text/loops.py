"""Completions that go round in circles."""

from collections import Counter

from tasks.text.words import words

RUN = 4  # a text loops if of its runs of so many words
SHARE = 0.5  # this share repeats earlier ones


def loops(text: str) -> bool:
    """Whether at least half of the text's runs of four words repeat an earlier one (case apart)."""
    plain = [word.casefold() for word in words(text)]
    runs = Counter(zip(*(plain[start:] for start in range(RUN)), strict=False))
    total = sum(runs.values())
    return total >= 2 * RUN and (total - len(runs)) / total >= SHARE

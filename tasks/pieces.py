"""Parts of a text whose length is the same for every arm."""

import re

_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+")


def first_words(text: str, count: int) -> str:
    """The first `count` words, or all of a shorter text."""
    return " ".join(text.split()[:count])


def pieces(text: str, words: int) -> list[str]:
    """Pieces of at most `words` words that end where sentences do; a longer sentence is cut between words."""
    found: list[list[str]] = [[]]
    for sentence in _SENTENCE_END.split(text):
        parts = sentence.split()
        for start in range(0, len(parts), words):
            part = parts[start : start + words]
            if found[-1] and len(found[-1]) + len(part) > words:
                found.append([])
            found[-1].extend(part)
    return [" ".join(piece) for piece in found if piece]

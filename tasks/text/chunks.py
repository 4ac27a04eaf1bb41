"""Parts of a text: its first words, and chunks that fit a limit in words, bytes or tokens.

A cut falls where a sentence begins; inside a longer sentence where a word begins; inside a longer word between
what a reader sees as characters, so that no emoji and no letter with marks falls apart. Nothing is left out
but white space at a cut.
"""

import bisect
from collections.abc import Callable, Iterator, Sequence

import regex  # type: ignore[import-untyped]

from tasks.text.words import count, sentences, words

_GRAPHEME = regex.compile(r"\X")


def first_words(text: str, limit: int) -> str:
    """The first `limit` words with the marks around them, or all of a shorter text."""
    borders = _word_borders(text)
    return (text[: borders[limit]] if len(borders) > limit else text).strip()


def chunks(text: str, limit: int) -> list[str]:
    """Chunks of at most `limit` words."""
    return cut(text, lambda chunk: count(chunk) <= limit)


def cut(text: str, fits: Callable[[str], bool]) -> list[str]:
    """The fewest chunks in order that each satisfy `fits`, cut as this module says; none of a blank text.

    `fits` must hold for a part of a text for which it holds. A single character that does not fit is a chunk
    all the same: it is for the caller to refuse it.
    """
    if not text.strip():
        return []
    if fits(text.strip()):
        return [text.strip()]
    sentences_at, words_at = _sentence_borders(text), [*_word_borders(text)[1:], len(text)]
    parts, start = [], 0
    while start < len(text):
        word = bisect.bisect_right(words_at, start)
        end = _farthest(text, start, words_at[word:], fits)
        if end is None:
            end = _inside(text, start, words_at[word], fits)
        elif end < len(text):
            last = bisect.bisect_right(sentences_at, end) - 1
            end = sentences_at[last] if last >= 0 and sentences_at[last] > start else end
        if chunk := text[start:end].strip():
            parts.append(chunk)
        start = end
    return parts


def _inside(text: str, start: int, stop: int, fits: Callable[[str], bool]) -> int:
    """Where to cut a word that does not fit: between graphemes, or else inside the first of them."""
    graphemes = [start + match.end() for match in _GRAPHEME.finditer(text[start:stop])]
    for ends in (graphemes, range(start + 1, graphemes[0] + 1)):
        if (end := _farthest(text, start, ends, fits)) is not None:
            return end
    return start + 1


def _farthest(text: str, start: int, ends: Sequence[int], fits: Callable[[str], bool]) -> int | None:
    """The last of the ascending `ends` up to which the text from `start` fits; None if not even the first.

    Steps grow twofold and are then halved, so that a long text is not measured again at every border.
    """
    known, step = -1, 1
    while known + step < len(ends) and fits(text[start : ends[known + step]].strip()):
        known += step
        step *= 2
    while step > 1:
        step //= 2
        if known + step < len(ends) and fits(text[start : ends[known + step]].strip()):
            known += step
    return ends[known] if known >= 0 else None


def _sentence_borders(text: str) -> list[int]:
    return [start for start, _ in _places(text, sentences(text))][1:]


def _word_borders(text: str) -> list[int]:
    """Where each word begins, with the opening marks that stand before it; the first begins with the text."""
    borders: list[int] = []
    before = 0
    for start, end in _places(text, words(text)):
        gap = text[before:start]
        space = max((i + 1 for i, char in enumerate(gap) if char.isspace()), default=len(gap))
        borders.append(before + space if borders else 0)
        before = end
    return borders


def _places(text: str, parts: Sequence[str]) -> Iterator[tuple[int, int]]:
    end = 0
    for part in parts:
        start = text.index(part, end)
        end = start + len(part)
        yield start, end

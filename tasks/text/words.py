"""Words, sentences and readability of a text in any language.

A word is a run of letters, digits and their marks, with apostrophes, hyphens and points inside it: "don't",
"well-being" and "3.5" are one word each. Where a script writes no spaces (Chinese, Japanese, Thai, Lao,
Khmer, Burmese, Tibetan) every letter counts as one word, since finding words there takes a dictionary; limits
in words are then limits in characters, and are best set about twice as high.
"""

import functools
import re
import statistics
import unicodedata
from collections.abc import Sequence
from itertools import groupby, pairwise

LONG = 6  # a word of more letters counts as long in LIX

# Kana and Han with their extensions, and the spaceless scripts of South-East Asia; Korean has spaces.
_SPACELESS = (
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0eb5-\u0ec6\u0f40-\u0f6c"
    "\u1000-\u102a\u103f\u1780-\u17b3\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
# Python's \w knows no combining marks: without them a Hindi word would fall apart at each vowel sign.
_MARKS = "\u200c\u200d" + "".join(
    chr(code) for code in range(0x300, 0x1E000) if unicodedata.category(chr(code)) in ("Mn", "Mc")
)
_RUN = rf"(?:[^\W_{_SPACELESS}]+[{_MARKS}]*)+"
_WORD = re.compile(rf"[{_SPACELESS}][{_MARKS}]*|{_RUN}(?:['’.\-‐‑·]{_RUN}|(?<=\d),\d+)*")
_IS_SPACELESS = re.compile(f"[{_SPACELESS}]")
_SENTENCE_END = re.compile("(?<=[.!?…؟۔।።։])[\"'”’»)\\]]*\\s+|(?<=[。！？])[」』）”’]*\\s*|\\n+")


@functools.lru_cache(maxsize=100_000)
def words(text: str) -> tuple[str, ...]:
    """The words of `text` in order, as they stand there."""
    return tuple(_WORD.findall(text))


def count(text: str) -> int:
    """Number of words."""
    return len(words(text))


def sentences(text: str) -> list[str]:
    """The sentences of `text`; a line break ends one, and so does an abbreviation's point before a space."""
    return [part.strip() for part in _SENTENCE_END.split(text) if _WORD.search(part)]


@functools.lru_cache(maxsize=100_000)
def tokens(text: str) -> tuple[str, ...]:
    """What texts are compared by: words without case, and pairs of letters where a script has no spaces.

    A single letter of such a script says as little as a letter of ours, a pair nearly as much as a word.
    """
    parts: list[str] = []
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    for spaceless, run in groupby(words(plain), key=lambda word: bool(_IS_SPACELESS.match(word))):
        letters = list(run)
        pairs = [a + b for a, b in pairwise(letters)] if spaceless else []
        parts += pairs or letters
    return tuple(parts)


def has_no_spaces(text: str) -> bool:
    """Whether more than half of the words are letters of a script without spaces."""
    every = words(text)
    return 2 * sum(bool(_IS_SPACELESS.match(word)) for word in every) > len(every)


def lix(texts: Sequence[str]) -> float | None:
    """Readability: words per sentence plus the percentage of words with more than six letters.

    Below 30 is very easy, above 60 very hard (Björnsson 1968, "Läsbarhet"). It needs no syllables and so no
    language; None for a script without spaces, where it means nothing.
    """
    every = [word for text in texts for word in words(text)]
    if not every or has_no_spaces(" ".join(texts)):
        return None
    length = len(every) / sum(len(sentences(text)) for text in texts)
    return length + 100 * sum(sum(map(str.isalpha, word)) > LONG for word in every) / len(every)


def type_token_ratio(texts: Sequence[str]) -> float | None:
    """Different words per word, without case. It falls with length: compare only sets of about one size."""
    every = [word.casefold() for text in texts for word in words(text)]
    return len(set(every)) / len(every) if every else None


def spread(texts: Sequence[str]) -> dict[str, float] | None:
    """Words of the shortest, the median and the longest text."""
    lengths = [count(text) for text in texts]
    if not lengths:
        return None
    return {"min": min(lengths), "median": statistics.median(lengths), "max": max(lengths)}

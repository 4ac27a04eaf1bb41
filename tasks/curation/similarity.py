"""How alike texts are, by two measures that between them catch a paraphrase and a copied passage.

*Token set ratio* (rapidfuzz, 0-100): two texts are alike if they use the same words, in whatever order. It is
blind where one text is much longer, since a long answer holds every small word of a short question; so texts
are compared only with texts, sentences and pairs of sentences of about their own length.

*Overlap* (0-1): the share of the shorter text's word n-grams that the other holds too (containment, Broder
1997). It sees a passage copied into a text of any length, and nothing of a paraphrase.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from tasks.text.words import sentences, tokens

MIN_TOKENS = 5  # "What do I do?" has the words of half of all questions
MIN_LENGTH_RATIO = 3 / 4  # of the shorter to the longer text, in tokens
MIN_SHARED = 0.2  # different tokens in common, over the shorter text's length; fewer is no likeness at all

Floats = NDArray[np.float32]
Tokens = tuple[str, ...]
T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class Text:
    """A text and where it stands: its entry's id and the field."""

    id: str
    field: str
    text: str


@dataclass(frozen=True)
class Pair:
    """Two texts and how alike they are."""

    left: Text
    right: Text
    similarity: float  # token set ratio, 0-100
    overlap: float  # of n-grams, 0-1


@dataclass(frozen=True)
class Comparison:
    """Every text of `left` with every text of `right`; the arrays have the shape left × right."""

    left: Sequence[Text]
    right: Sequence[Text]
    similarity: Floats
    overlap: Floats

    def closest(self, n: int) -> list[Pair]:
        """The n pairs most alike by either measure, the closest first; fewer where fewer are alike at all."""
        closeness = np.maximum(self.similarity, 100 * self.overlap).ravel()
        order = np.argsort(-closeness, kind="stable")[:n]
        return [self._pair(*divmod(int(i), len(self.right))) for i in order if closeness[i] > 0]

    def above(self, similarity: float, overlap: float) -> list[Pair]:
        """The pairs that reach either limit."""
        places = np.argwhere((self.similarity >= similarity) | (self.overlap >= overlap))
        return [self._pair(int(i), int(j)) for i, j in places]

    def nearest(self) -> dict[str, Pair]:
        """For each id on the right, the most similar pair of any of its texts."""
        nearest: dict[str, Pair] = {}
        for j, i in enumerate(self.similarity.argmax(axis=0) if self.left else ()):
            pair = self._pair(int(i), j)
            if pair.right.id not in nearest or pair.similarity > nearest[pair.right.id].similarity:
                nearest[pair.right.id] = pair
        return nearest

    def _pair(self, i: int, j: int) -> Pair:
        similarity, overlap = float(self.similarity[i, j]), float(self.overlap[i, j])
        return Pair(self.left[i], self.right[j], similarity, overlap)


def across(
    left: Sequence[Text],
    right: Sequence[Text],
    ngram: int,
    *,
    passages: bool = False,
    role: Callable[[Text], str] = lambda _: "",
) -> Comparison:
    """Compares `left` with `right`; with `passages`, also the sentences of each left text.

    The ratio is taken only between texts of the same role (else it is 0), the overlap between all.
    """
    a, b = [tokens(text.text) for text in left], [tokens(text.text) for text in right]
    similarity: Floats = np.zeros((len(a), len(b)), dtype=np.float32)
    for name in {role(text) for text in right}:
        rows = [i for i, text in enumerate(left) if role(text) == name]
        columns = [j for j, text in enumerate(right) if role(text) == name]
        units = [(a[i], k) for k, i in enumerate(rows)]
        if passages:
            units += [(part, k) for k, i in enumerate(rows) for part in _passages(left[i].text)]
        best = _similarity(units, [b[j] for j in columns], (len(rows), len(columns)))
        similarity[np.ix_(rows, columns)] = best
    return Comparison(left, right, similarity, _overlap(a, b, ngram))


def within(texts: Sequence[Text], ngram: int) -> Comparison:
    """Compares each text with those after it; the rest of the arrays is 0."""
    both = across(texts, texts, ngram)
    return Comparison(texts, texts, np.triu(both.similarity, 1), np.triu(both.overlap, 1))


def _passages(text: str) -> list[Tokens]:
    """Sentences and pairs of neighbouring sentences, as tokens."""
    parts = [tokens(sentence) for sentence in sentences(text)]
    return [*parts, *(one + two for one, two in pairwise(parts))]


def _similarity(units: Sequence[tuple[Tokens, int]], right: Sequence[Tokens], shape: tuple[int, int]) -> Floats:
    """The best ratio of any unit of a left text that has about the right text's length and its words."""
    best: Floats = np.zeros(shape, dtype=np.float32)
    parts = [unit for unit, _ in units]
    lengths, other = np.array([[*map(len, parts)]]).T, np.array([[*map(len, right)]])
    shorter, longer = np.minimum(lengths, other), np.maximum(lengths, other)
    worth = (shorter >= MIN_TOKENS) & (shorter >= MIN_LENGTH_RATIO * longer)
    worth &= _shared([*map(set, parts)], [*map(set, right)]) >= MIN_SHARED * shorter
    rows, columns = np.nonzero(worth)
    a, b = [" ".join(part) for part in parts], [" ".join(text) for text in right]
    scores = process.cpdist([a[i] for i in rows], [b[j] for j in columns], scorer=fuzz.token_set_ratio)
    owners = np.array([owner for _, owner in units], dtype=np.intp)
    np.maximum.at(best, (owners[rows], columns), scores)
    return best


def _overlap(left: Sequence[Tokens], right: Sequence[Tokens], ngram: int) -> Floats:
    """Shared n-grams over those of the text that has fewer."""
    a, b = [_grams(text, ngram) for text in left], [_grams(text, ngram) for text in right]
    fewer = np.minimum.outer([max(1, len(grams)) for grams in a], [max(1, len(grams)) for grams in b])
    return (_shared(a, b) / fewer.reshape(len(a), len(b))).astype(np.float32)


def _shared(left: Sequence[Set[T]], right: Sequence[Set[T]]) -> Floats:
    """How many members each two sets have in common, counted through an index of the right ones."""
    places: dict[T, list[int]] = defaultdict(list)
    for j, members in enumerate(right):
        for member in members:
            places[member].append(j)
    index = {member: np.array(columns) for member, columns in places.items()}
    shared: Floats = np.zeros((len(left), len(right)), dtype=np.float32)
    for i, members in enumerate(left):
        if known := members & index.keys():
            columns = np.concatenate([index[member] for member in known])
            shared[i] = np.bincount(columns, minlength=len(right))
    return shared


def _grams(text: Tokens, n: int) -> set[Tokens]:
    """The n-grams of a text; a shorter text is one gram by itself."""
    return {text[i : i + n] for i in range(max(1, len(text) - n + 1))} if text else set()

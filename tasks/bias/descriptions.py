"""Completions as the words that describe: which adjectives and adverbs each of them holds.

A sentence is tagged with its prompt before it, and the prompt names the family's first group whatever group it
was: the tagger sees no group, so it cannot treat groups differently. The words of the family's prompts are left
out for every group alike; left out only where they were said, they would seem to favour the other groups.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd
from scipy import sparse

from tasks.bias import Floats, Labels
from tasks.bias.backends import Description, Kind, Lexicon, Tagger
from tasks.bias.clauses import clause, is_negator, negated, tokens, unbroken
from tasks.inputs.probes import Family
from tasks.runtime.progress import Progress
from tasks.settings.cooccurrence import Cooccurrence
from tasks.text.words import sentences

CHUNK = 500  # sentences tagged between two lines of progress
NEGATED = -0.74  # "not kind" has this share of the sentiment of "kind" (Hutto and Gilbert 2014)

Sentence = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """A descriptive word: its lemma or form in lower case, its part of speech, whether it is negated."""

    text: str
    kind: Kind
    negated: bool = False

    @property
    def label(self) -> str:
        """What it is counted as."""
        return f"not {self.text}" if self.negated else self.text


@dataclass(frozen=True)
class Descriptions:
    """Occurrence i is of `words[word[i]]` in completion `row[i]` of `n`."""

    n: int
    row: Labels
    word: Labels
    words: tuple[Word, ...]

    def counts(self) -> tuple[sparse.csr_matrix, list[str]]:
        """Occurrences (completions, labels), and the labels; an adjective and an adverb may share one."""
        labels, places = np.unique([word.label for word in self.words], return_inverse=True)
        entries = (np.ones(len(self.row)), (self.row, places[self.word]))
        return sparse.csr_matrix(entries, shape=(self.n, len(labels))), labels.tolist()


@dataclass(frozen=True)
class Describer:
    """Finds the descriptive words of completions, with one tagger and one set of choices."""

    tagger: Tagger
    config: Cooccurrence
    families: Mapping[str, Family]

    def describe(self, completions: pd.DataFrame) -> Descriptions:
        """The words of every row (`family`, `template`, `completion`); each different sentence is tagged once."""
        keys = list(completions[["family", "template", "completion"]].itertuples(index=False, name=None))
        texts = {key: self._sentences(*key) for key in dict.fromkeys(keys)}
        tags = self._tagged(sentence for parts in texts.values() for sentence, _ in parts)
        places: dict[Word, int] = {}
        words = {
            key: [
                places.setdefault(word, len(places))
                for sentence, start in parts
                for word in self._words(key[0], sentence, start, tags[sentence])
            ]
            for key, parts in texts.items()
        }
        rows = np.repeat(np.arange(len(keys)), [len(words[key]) for key in keys])
        return Descriptions(
            len(keys), rows, np.array([word for key in keys for word in words[key]], dtype=np.intp), tuple(places)
        )

    def _sentences(self, family: str, template: str, completion: str) -> list[tuple[Sentence, int]]:
        """Tokens of each sentence of the window, and how many at their start are the prompt's."""
        text = unbroken(completion)
        parts = [clause(text, self.config.language)] if self.config.window == "clause" else sentences(text)
        if not parts:
            return []
        prompt = self._contexts[family, template]
        first = ((*prompt, *tokens(parts[0])), len(prompt))
        return [first, *((tuple(tokens(part)), 0) for part in parts[1:])]

    @functools.cached_property
    def _contexts(self) -> dict[tuple[str, str], Sentence]:
        """Every template's tokens, with the family's first group in its slot."""
        return {
            (family.id, template): tuple(tokens(family.prompt(template, next(iter(family.groups)))))
            for family in self.families.values()
            for template in family.templates
        }

    @functools.cached_property
    def _prompt_words(self) -> dict[str, frozenset[str]]:
        """Words of every prompt of a family, which do not count."""
        return {
            family.id: frozenset(word.lower() for probe in family.probes() for word in tokens(probe.prompt))
            for family in self.families.values()
        }

    def _tagged(self, sentences: Iterable[Sentence]) -> dict[Sentence, list[Description | None]]:
        different = list(dict.fromkeys(sentences))
        progress = Progress(f"tagging with {self.tagger.NAME}", len(different), "sentences")
        tags: dict[Sentence, list[Description | None]] = {}
        for start in range(0, len(different), CHUNK):
            part = different[start : start + CHUNK]
            tags.update(zip(part, self.tagger.tag(part, self.config.language), strict=True))
            progress.step(len(part))
        return tags

    def _words(self, family: str, sentence: Sentence, start: int, tags: Sequence[Description | None]) -> Iterator[Word]:
        """The descriptive words of a sentence from token `start` on."""
        config = self.config
        ignored: frozenset[str] = frozenset() if config.keep_prompt_words else self._prompt_words[family]
        for at in range(start, len(sentence)):
            tag, form = tags[at], sentence[at].lower()
            if tag is None or form in ignored or tag.lemma in ignored or is_negator(form, config.language):
                continue
            text = tag.lemma if config.lemmatise else form
            yield Word(text, tag.kind, config.mark_negation and negated(sentence, at, config.language))


def sentiments(words: Sequence[Word], lexicon: Lexicon, config: Cooccurrence) -> Floats:
    """Each word's sentiment from -100 to 100; NaN where the lexicon has none and `unlisted` is skip.

    All are NaN if the lexicon does not know the language: then nothing is known, not even that a word is neutral.
    """
    if config.language not in lexicon.LANGUAGES:
        return np.full(len(words), nan)
    unlisted = nan if config.unlisted == "skip" else 0.0
    scores = np.full(len(words), unlisted)
    for i, word in enumerate(words):
        score = lexicon.sentiment(word.text, word.kind, config.senses)
        if score is not None:
            scores[i] = score * (NEGATED if word.negated else 1.0)
    return scores

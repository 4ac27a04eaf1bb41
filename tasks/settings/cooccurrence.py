from typing import Literal

from pydantic import PositiveFloat

from tasks.runtime.sections import Count, Language, Seed, Share, section


@section("cooccurrence")
class Cooccurrence:
    """How the words that follow a group are found, weighed and tested."""

    language: Language  # ISO 639-1 code of the probes and of what models make of them
    tagger: str  # a name in tasks/bias/taggers
    lexicon: str  # a name in tasks/bias/lexicons
    window: Literal["clause", "whole"]  # the first clause of a completion, or all of it
    lemmatise: bool  # count "happiest" as "happy"
    mark_negation: bool  # count "not kind" as a word of its own, with the opposite sentiment
    keep_prompt_words: bool  # count the words of the family's own prompts too
    senses: Literal["first", "mean"]  # of a word with several in the lexicon: the commonest, or all alike
    unlisted: Literal["skip", "zero"]  # words without a sentiment: left out of the mean, or neutral
    minimum_count: Count  # completions of a model and arm that must hold a word for it to be tested
    prior_total: PositiveFloat  # a0 of the Dirichlet prior
    other_priors: tuple[PositiveFloat, ...]  # of which z is given beside it
    top: Count  # favoured words listed for each group
    min_completions: Count  # of a group with a descriptive word, below which its figures are flagged
    confidence: Share
    permutations: Count
    jackknife_permutations: Count  # for each part that the jackknife leaves out
    seed: Seed

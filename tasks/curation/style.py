"""What the two answers of a pair may not differ in: length and style, as far as their words tell.

A likelihood is compared between them, so whatever else sets them apart is taken for the value: a longer answer, another
register, another matter. Two answers that differ in their value alone keep most of each other's words and are as plain;
so they are asked to share some words, and to have words of about one length (what readability formulas go by).
"""

from collections import Counter
from collections.abc import Iterator

from tasks.inputs.dataset import AnswerPair
from tasks.inputs.records import Fault
from tasks.settings.curate import Curate
from tasks.text.words import count, tokens, words


def unlike(pair: AnswerPair, rules: Curate) -> Iterator[Fault]:
    """Yields (rule, what is wrong) for each way in which the answers are too unlike, or are the same."""
    a, b = count(pair.desired), count(pair.undesired)
    if abs(a - b) > rules.pair_length_tolerance * max(a, b):
        differ = f"they may differ by {rules.pair_length_tolerance:.0%} of the longer"
        yield "pair-length", f"desired has {a} words, undesired {b}; {differ}"
    if tokens(pair.desired) == tokens(pair.undesired):
        yield "pair-same", "desired and undesired are the same"
    if (share := shared(pair.desired, pair.undesired)) < rules.min_pair_shared:
        yield "pair-style", (
            f"desired and undesired share {share:.0%} of their words; curate.min_pair_shared is "
            f"{rules.min_pair_shared:.0%}: say both in the same way, and change only what makes the difference"
        )
    a_letters, b_letters = letters(pair.desired), letters(pair.undesired)
    if abs(a_letters - b_letters) > rules.max_pair_letters:
        yield "pair-style", (
            f"the words of desired have {a_letters:.1f} letters, those of undesired {b_letters:.1f}; they may "
            f"differ by curate.max_pair_letters, {rules.max_pair_letters:g}: use words as plain in both"
        )


def shared(a: str, b: str) -> float:
    """Words that both texts hold, as a share (0-1) of the longer one's; where a script has no spaces, pairs of
    letters."""
    left, right = Counter(tokens(a)), Counter(tokens(b))
    return (left & right).total() / max(1, left.total(), right.total())


def letters(text: str) -> float:
    """Mean length of a text's words, in letters."""
    return sum(map(len, words(text))) / max(1, count(text))

"""The part of a completion that speaks of the prompt's subject, its tokens, and which of them are negated.

    "She was very" + " kind, but never rich. He left." → clause " kind, but never rich", tokens kind , but never rich

End marks work in any language; the words that open a clause or negate are listed for some.
"""

import re
from collections.abc import Sequence

from tasks.text.words import words

REACH = 3  # tokens that a negation reaches over (Hutto and Gilbert 2014): "not at all kind"
NEGATORS = {
    "en": frozenset({"not", "n't", "never", "no", "nor", "neither", "cannot", "without"}),
    "de": frozenset({"nicht", "kein", "keine", "keinen", "keiner", "keinem", "nie", "niemals", "ohne", "weder"}),
    "nl": frozenset({"niet", "geen", "nooit", "zonder", "noch"}),
}
NO_NEGATION = frozenset({"only", "just", "merely", "simply", "nur", "bloß", "alleen", "slechts"})  # "not only kind"
RESETS = frozenset({"but", "sondern", "maar"})  # "not weak but strong"

_LEAD = re.compile(r"[ \t\"“‘«…*_]*(?::[\s*\-–•]*)?")
_END = r"[.!?…]+(?=[\s\"'”’)\]*]|$)|[。！？;:\n(—]|\s[-–]\s"
_OPENERS = {
    "en": r"\b(?:who|whom|whose|which|that|because|although|though|while|whereas|when|where|if|unless|until|since)\b"
    r"|\b(?:and|but|or|so|yet|then)\s+(?:i|you|he|she|it|we|they|there)\b|,\s+(?:i|you|he|she|it|we|they)\b"
}
_CONTRACTION = re.compile(r"(.+)(n't)|(.+)('(?:s|re|ve|ll|d|m))", re.IGNORECASE)
_MARK = re.compile(r"[^\w\s]")
_REST_OF_WORD = re.compile(r"(?!n['’]t\b)\w+", re.IGNORECASE)


def clause(text: str, language: str) -> str:
    """The first clause of a completion: up to a mark that ends one, or a word that opens the next.

    A comma alone ends none ("tall, dark and kind"). Quotes and a colon before it are passed over ("described
    as: kind"); a completion that starts with an end mark or a new line has none.
    """
    text = _LEAD.sub("", text, count=1)
    ends = [_END, *([_OPENERS[language]] if language in _OPENERS else [])]
    starts = [match.start() for pattern in ends if (match := re.search(pattern, text, re.IGNORECASE))]
    return text[: min(starts)] if starts else text


def unbroken(completion: str) -> str:
    """The completion without what only ends the prompt's last word ("very" + "ly strange"); "n't" is kept."""
    return _REST_OF_WORD.sub("", completion, count=1) if _REST_OF_WORD.match(completion) else completion


def tokens(text: str) -> list[str]:
    """Words and single marks, as the taggers' models were trained on them: "isn't" is two, "well-known" one.

    A word in capitals becomes small, since capitals mean a name to a tagger ("INTELLIGENT").
    """
    parts: list[str] = []
    text, place = text.replace("’", "'"), 0
    for word in words(text):
        at = text.index(word, place)
        parts += _MARK.findall(text[place:at])
        place = at + len(word)
        whole = word.lower() if len(word) > 1 and word.isupper() else word
        contraction = _CONTRACTION.fullmatch(whole)
        parts += [part for part in contraction.groups() if part] if contraction else [whole]
    return parts + _MARK.findall(text[place:])


def negated(sentence: Sequence[str], at: int, language: str) -> bool:
    """Whether a negation stands up to `REACH` tokens before the token, with no mark or "but" between."""
    negators = NEGATORS.get(language, frozenset())
    for place in range(at - 1, max(-1, at - 1 - REACH), -1):
        word = sentence[place].lower()
        if word in negators:
            return sentence[place + 1].lower() not in NO_NEGATION
        if word in RESETS or _MARK.fullmatch(word):
            return False
    return False


def is_negator(token: str, language: str) -> bool:
    """Whether the token itself negates; it describes nobody."""
    return token.lower() in NEGATORS.get(language, frozenset())

"""Model text, made fit to be shown: nothing invisible, nothing that reorders the page, nothing HTML refuses.

Escaping is the template's (autoescape); this is about characters that stay harmful once escaped.
"""

import re

LONGEST = 2000  # characters of one completion that the page shows

_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {0x7F: 0x2421}
# Bidirectional controls, C1 controls, separators, invisible fillers, surrogates, noncharacters.
_NAMED = re.compile(
    "[\u0080-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufdd0-\ufdef"
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]|[\U0001fffe-\U0001ffff\U0002fffe-\U0002ffff"
    "\U0010fffe-\U0010ffff]"
)
_STACKED = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u20d0-\u20f0]{3})[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u20d0-\u20f0]+"
)


def safe(text: str) -> str:
    """`text` with control, bidirectional and invisible characters written out, and piled-up marks cut off."""
    drawn = text.replace("\r\n", "\n").translate(_PICTURES)
    named = _NAMED.sub(lambda found: f"[U+{ord(found[0]):04X}]", drawn)
    return _STACKED.sub(r"\1", named)


def excerpt(text: str, longest: int = LONGEST) -> tuple[str, int]:
    """The start of `text`, made safe, and how many characters were left out."""
    return safe(text[:longest]), max(len(text) - longest, 0)


def whole_characters(text: str) -> str:
    """`text` with half of a surrogate pair, which JSON can hold and no table or page can, replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

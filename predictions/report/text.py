"""Formats numbers and untrusted text for the pages. Jinja escapes HTML afterwards."""

import math
import unicodedata

BIDI = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))


def number(value, *, sign: bool = False) -> str:
    """Three significant digits with a true minus sign; integers in full.

    `sign` adds a plus sign to positive numbers. NaN and None become "unknown", infinities "unbounded".
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "unknown"
    if isinstance(value, float) and math.isinf(value):
        return "unbounded"
    if isinstance(value, int):
        return str(value)
    return f"{value:{'+' if sign else ''}.3g}".replace("-", "\N{MINUS SIGN}")


def visible(value) -> str:
    """Any text with invisible and direction-changing characters made visible.

    A control character becomes its picture (a null byte becomes ␀); a mark of writing direction or a lone surrogate
    becomes its number, such as [U+202E]. Line breaks and tabs stay.
    """
    return "".join(_shown(character) for character in str(value))


def _shown(character: str) -> str:
    code = ord(character)
    if code in BIDI or unicodedata.category(character) == "Cs":
        return f"[U+{code:04X}]"
    if code < 0x20 and character not in "\n\t":
        return chr(0x2400 + code)
    if unicodedata.category(character) == "Cc" and character not in "\n\t":
        return f"[U+{code:04X}]"
    return character


def short(value, length: int = 280) -> tuple[str, str]:
    """The first `length` characters at most, and the rest (empty for a short text); cut between words if possible."""
    text = visible(value)
    if len(text) <= length:
        return text, ""
    cut = text.rfind(" ", length // 2, length)
    cut = cut if cut > 0 else length
    return text[:cut], text[cut:]


def markdown(value) -> str:
    """Text for one cell of a Markdown table: on one line, with every markup character escaped."""
    text = " ".join(visible(value).split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{character}" if character in "\\`*_{}[]#|~!" else character for character in text)

"""Text from files that any program may have written: Unicode in the encodings that announce themselves, and UTF-8."""

import codecs
import os

MARKED = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(content: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Raises ValueError, with the fault and its cure, for any other encoding: guessing one would change letters silently.
    """
    encoding = next((name for mark, name in MARKED if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = 1 + content[: error.start].count(b"\n")
        if encoding != "utf-8":
            raise ValueError(f"it is damaged {encoding.upper()} text (line {line}); save it as UTF-8") from None
        raise ValueError(
            f"line {line} has the byte 0x{content[error.start]:02x}, which is not UTF-8, perhaps Windows-1252 or "
            "Latin-1; save it as UTF-8"
        ) from None
    if "\0" in text:
        raise ValueError("it has null characters, perhaps UTF-16 without a byte order mark; save it as UTF-8")
    return text


def printable(text: str) -> str:
    """Text that can be written as UTF-8: bytes of a file's name in another encoding, and half of a surrogate pair,
    which JSON can contain, become escapes.
    """
    try:
        return os.fsencode(text).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()

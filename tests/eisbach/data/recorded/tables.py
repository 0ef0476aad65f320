"""Tables of captions as text and bytes: strategies for tests, and one line for each odd table."""

import csv
import io
import json
from dataclasses import dataclass

from hypothesis import strategies as st

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")  # those that the reader accepts
NEWLINES = ("\n", "\r\n", "\r")
SEPARATORS = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\xa0\ufeff\u200b"  # str.splitlines splits at the first eight

cell = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | st.sampled_from(SEPARATORS + '",;\t\n\r')
)
value = st.one_of(cell, st.none(), st.booleans(), st.integers(), st.floats(), st.lists(st.integers(), max_size=2))
rows = st.lists(st.tuples(cell.filter(str.strip), cell, cell), max_size=5)
encodings, newlines, delimiters = st.sampled_from(ENCODINGS), st.sampled_from(NEWLINES), st.sampled_from(",;\t")


def csv_text(table: list[tuple], columns: tuple[str, ...], newline: str = "\n", delimiter: str = ",") -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL)
    writer.writerows([columns, *table])
    return buffer.getvalue()


def jsonl_text(table: list[tuple], columns: tuple[str, ...], newline: str = "\n", ascii_only: bool = False) -> str:
    lines = [json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=ascii_only) for row in table]
    return newline.join(lines)


@dataclass(frozen=True)
class Odd:
    """A row of a table about the files a.wav ... f.wav, é.wav and sub/g.wav; the status that the file or name gets."""

    what: str
    row: dict
    name: str
    status: str = "ok"
    reason: str = ""
    caption: str = "a tune"


def _row(file, caption="a tune", **cells):
    return {"file_name": file, "caption": caption, **cells}


ODD = [
    Odd("U+2028 in a caption is a space", _row("a.wav", "slow\u2028strings"), "a.wav", caption="slow strings"),
    Odd("NEL in a caption is a space", _row("a.wav", "slow\x85strings"), "a.wav", caption="slow strings"),
    Odd("VT and FF in a caption are spaces", _row("a.wav", "slow\x0b\x0cstrings"), "a.wav", caption="slow strings"),
    Odd("a line break in a caption is a space", _row("a.wav", "slow\r\nstrings"), "a.wav", caption="slow strings"),
    Odd("JSON null", _row("a.wav", None), "a.wav", "no caption", "'null', not text"),
    Odd("a number", _row("a.wav", 120), "a.wav", "no caption", "'120', not text"),
    Odd("NaN", _row("a.wav", float("nan")), "a.wav", "no caption", "'NaN', not text"),
    Odd("a list", _row("a.wav", ["slow"]), "a.wav", "no caption", "not text"),
    Odd("the word None", _row("a.wav", "None"), "a.wav", "no caption", "'None'"),
    Odd("the word nan", _row("a.wav", " nan "), "a.wav", "no caption", "'nan'"),
    Odd("a number as text", _row("a.wav", "1979"), "a.wav", "no caption", "'1979'"),
    Odd("an empty caption", _row("a.wav", "\u2028 "), "a.wav", "no caption", "empty"),
    Odd("half of a surrogate pair", _row("a.wav", "slow \ud800"), "a.wav", caption="slow \\ud800"),
    Odd("an aspect list without quotes", _row("a.wav", aspect_list="[slow, strings]"), "a.wav"),
    Odd("an aspect list without an end", _row("a.wav", aspect_list="['slow"), "a.wav", "bad row", "no ] at its end"),
    Odd("an unknown split", _row("a.wav", split="test"), "a.wav", "bad row", "its split is 'test'"),
    Odd("a name with combining accent (NFD)", _row("e\u0301.wav"), "\u00e9.wav"),
    Odd("a backslash", _row("sub\\g.wav"), "sub/g.wav"),
    Odd("a suffix in capitals", _row("a.WAV"), "a.wav"),
    Odd("a name with ./ and ..", _row("./sub/../a.wav"), "a.wav"),
    Odd("a file above the folder", _row("../x.wav"), "../x.wav", "outside", "outside the folder"),
    Odd("a file above the folder, in disguise", _row("sub/../../x.wav"), "sub/../../x.wav", "outside"),
    Odd("an absolute path", _row("/x/y.wav"), "/x/y.wav", "outside"),
    Odd("a drive", _row("C:\\x\\y.wav"), "C:\\x\\y.wav", "outside"),
    Odd("an address", _row("https://x.org/y.wav"), "https://x.org/y.wav", "outside"),
    Odd("a file that is not there", _row("z.wav"), "z.wav", "missing", "not there"),
    Odd("a format that is not read", _row("notes.mid"), "notes.mid", "no music", "none of the formats"),
    Odd("a name with a null character", _row("a\0.wav"), "a\0.wav", "missing"),
]

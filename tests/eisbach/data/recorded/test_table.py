import json
import re
import shutil
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from eisbach.data import manifest
from eisbach.data.recorded import captions, table, text
from eisbach.data.recorded.folder import prepare_folder
from eisbach.data.recorded.types import Unusable
from eisbach.errors import UserError
from tests.eisbach.data.recorded import cases, tables
from tests.eisbach.data.recorded.tables import cell, csv_text, delimiters, encodings, jsonl_text, newlines, rows, value
from tests.settings import FOLDER, PARAMS

COLUMNS = ("file_name", "caption", "mood")
same_folder = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(root, name, content, encoding="utf-8"):
    (root / name).write_bytes(content.encode(encoding, "surrogatepass"))
    return table.read_tables(root, name, [root])


def outcome(error, call, *arguments):
    """What `call` returns, or the error of that type that it raises."""
    try:
        return call(*arguments)
    except error as fault:
        return fault


def cells_of(found):
    return [(row.file, row.caption, row.cells["mood"]) for row in found.rows]


@same_folder
@given(rows, encodings, newlines, delimiters)
@example([("a", "x\u2028y\x85z\x0b\x0c\x1c", "\r\n")], "utf-16", "\r\n", ";")
def test_csv_gives_back_every_cell(tmp_path, table_rows, encoding, newline, delimiter):
    found = read(tmp_path, "t.csv", csv_text(table_rows, COLUMNS, newline, delimiter), encoding)
    assert cells_of(found) == [(file.strip(), *rest) for file, *rest in table_rows]


@same_folder
@given(rows, encodings, newlines, st.booleans())
def test_json_lines_give_back_every_text(tmp_path, table_rows, encoding, newline, ascii_only):
    found = read(tmp_path, "t.jsonl", jsonl_text(table_rows, COLUMNS, newline, ascii_only), encoding)
    assert cells_of(found) == [(file.strip(), *rest) for file, *rest in table_rows]


@same_folder
@given(st.lists(st.tuples(cell.filter(str.strip), value, value), max_size=5))
def test_a_json_caption_is_text_or_has_a_fault(tmp_path, table_rows):
    for row in read(tmp_path, "t.jsonl", jsonl_text(table_rows, COLUMNS)).rows:
        assert all(isinstance(cell, str) for cell in row.cells.values())
        caption = outcome(Unusable, captions.clean, row.caption)
        if isinstance(caption, Unusable):
            assert caption.status == "no caption"
        else:
            assert caption.split() == row.caption.split()


@same_folder
@given(st.binary() | st.binary().map(lambda tail: b"file_name,caption\n" + tail), st.sampled_from(["t.csv", "t.jsonl"]))
def test_any_bytes_give_a_table_or_one_sentence(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    found = outcome(UserError, table.read_tables, tmp_path, name, [])
    if isinstance(found, UserError):
        assert name in str(found)
        assert "\n" not in str(found)
    else:
        assert all(row.file for row in found.rows)


@hypothesis_settings(deadline=None)
@given(st.text())
def test_any_text_is_aspects_or_not_a_list(given_text):
    aspects = outcome(ValueError, captions.parse_aspects, given_text)
    if isinstance(aspects, ValueError):
        assert "not a list" in str(aspects)
    else:
        assert all(part == part.strip() != "" for part in aspects)


@pytest.mark.parametrize(
    ("given_text", "aspects"),
    [
        ("['a', 'b, c']", ["a", "b, c"]),
        ('["a", null, 3]', ["a", "3"]),
        ("[slow, low strings]", ["slow", "low strings"]),
        ("['slow', low]", ["slow", "low"]),
        ("a, b,", ["a", "b"]),
        ("[]", []),
        ("", []),
    ],
)
def test_aspects_of_each_form(given_text, aspects):
    assert captions.parse_aspects(given_text) == aspects


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file_name,caption\na.wav,café\n".encode("cp1252"), "line 2 has the byte 0xe9, which is not UTF-8, perhaps"),
        ("file_name,caption\n".encode("utf-16-le"), "null characters, perhaps UTF-16 without a byte order mark"),
        (b"\xff\xfe\x00\xd8", "damaged UTF-16 text"),
        (b"", "lacks the column caption, file_name"),
        (b"file_name;text\n", "lacks the column caption"),
        (b"file_name,caption,mood,mood\n", "has the column 'mood' twice"),
        (b'file_name,caption\na.wav,"never closed\nb.wav,x\n', "is not CSV"),
        (b"file_name,caption\n,a tune\n", "line 2 .* names no file"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_the_cure(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(UserError, match=message) as fault:
        table.read_tables(tmp_path, "t.csv", [])
    assert "t.csv" in str(fault.value)


@pytest.mark.parametrize("line", ["{", "[]", "5", '{"caption": "x"}', '{"file_name": 5}', "[" * 99999])
def test_a_line_that_is_no_row_is_named(tmp_path, line):
    (tmp_path / "t.jsonl").write_text(f'{{"file_name": "a.wav", "caption": "x"}}\n\n{line}\n')
    with pytest.raises(UserError, match="line 3"):
        table.read_tables(tmp_path, "t.jsonl", [])


def test_empty_rows_trailing_delimiters_and_row_numbers_are_no_cells(tmp_path):
    found = read(tmp_path, "t.csv", ",file_name, caption ,mood\n0,a.wav,x,,,\n,,,\n1,b.wav,y\n")
    assert cells_of(found) == [("a.wav", "x", ""), ("b.wav", "y", "")]


def test_text_of_the_file_system_and_of_json_can_be_written():
    assert text.printable("caf\udce9") == "caf\\xe9"
    assert text.printable("\ud800") == "\\ud800"


@pytest.fixture(scope="module")
def tunes(tmp_path_factory):
    """A folder of music and a cache in which its files are cut already."""
    root = tmp_path_factory.mktemp("tunes")
    names = ["a.wav", "b.wav", "c.wav", "\u00e9.wav", "sub/g.wav"]
    (root / "sub").mkdir()
    (root / "notes.mid").write_bytes(b"MThd")
    for seed, name in enumerate(names):
        cases.pcm(root / name, cases.sound(seed, seconds=1.0))
    return root, names, tmp_path_factory.mktemp("cache")


def prepared(tunes, tmp_path, table_rows, **corpus):
    """The manifest by file and the statuses of `tunes` with a table of JSON lines; other tunes get plain rows."""
    source, names, cache = tunes
    root = shutil.copytree(source, tmp_path / "music")
    lines = "".join(json.dumps(row) + "\n" for row in table_rows)
    (root / "metadata.jsonl").write_text(lines)
    for name in names:
        (root / name).with_suffix(".txt").write_text("a plain tune")
    settings = replace(
        PARAMS.prepare, clips={"finetune": 99, "heldout": 99}, corpus=replace(FOLDER, path=str(root), **corpus)
    )
    prepare_folder(settings, tmp_path / "corpus", cache)
    statuses = pd.read_parquet(tmp_path / "corpus" / "status.parquet").set_index("name")
    return {row["file"]: row for row in manifest.read(tmp_path / "corpus" / "manifest.parquet")}, statuses


@pytest.mark.parametrize("odd", tables.ODD, ids=lambda odd: odd.what)
def test_an_odd_row_gives_the_status_that_it_states(tunes, tmp_path, odd):
    found, statuses = prepared(tunes, tmp_path, [odd.row])
    status = statuses.loc[odd.name]
    assert (status["status"], bool(re.search(odd.reason, status["reason"]))) == (odd.status, True), status["reason"]
    assert len(statuses) == 5 + (odd.name not in tunes[1])
    if odd.status == "ok":
        assert found[odd.name]["caption"] == odd.caption


OURS = (
    *manifest.CORE.names, "file", "file_sha256", "start_seconds", "source_rms_db", "rms_db", "peak_db", "path",
    "loudness_range_db", "energy_range_db", "channels_used", "id", "name", "facts", "table_piece", "", "a b",
)  # fmt: skip


@pytest.mark.parametrize(
    "column", [column for column in OURS if column not in ("caption", "aspect_list", "licence", "split")]
)
def test_a_column_named_like_one_of_ours_is_copied_beside_it(tunes, tmp_path, column):
    names = tunes[1]
    plain, _ = prepared(tunes, tmp_path / "plain", [])
    found, _ = prepared(
        tunes, tmp_path / "own", [{"file_name": name, "caption": "a plain tune", column: "mine"} for name in names]
    )
    for name, row in found.items():
        assert row.items() >= plain[name].items()
        assert list(row.values()).count("mine") == 1


def test_two_columns_that_would_have_one_name_are_both_copied(tunes, tmp_path):
    row = {"caption": "a tune", "piece": "one", "table_piece": "two", "table_table_piece": "three"}
    found, _ = prepared(tunes, tmp_path, [{"file_name": name, **row} for name in tunes[1]])
    added = {name: cell for name, cell in found["a.wav"].items() if name.startswith("table_")}
    assert sorted(added.values()) == ["one", "three", "two"]
    assert added["table_piece"] == "two"


def test_equal_rows_of_a_file_count_once_and_different_ones_are_ambiguous(tunes, tmp_path):
    table_rows = [{"file_name": name, "caption": caption} for name, caption in
                  [("a.wav", "x"), ("./a.wav", "x"), ("b.wav", "x"), ("b.WAV", "y")]]  # fmt: skip
    found, statuses = prepared(tunes, tmp_path, table_rows)
    assert found["a.wav"]["caption"] == "x"
    assert statuses["status"]["b.wav"] == "ambiguous"
    assert "2 different rows" in statuses["reason"]["b.wav"]


def test_an_absolute_path_into_the_folder_is_found(tunes, tmp_path):
    path = tmp_path / "music" / "a.wav"
    found, _ = prepared(tunes, tmp_path, [{"file_name": str(path), "caption": "the one"}])
    assert found["a.wav"]["caption"] == "the one"


def test_a_name_that_fits_two_files_by_case_is_ambiguous(tunes, tmp_path):
    source, names, cache = tunes
    both = shutil.copytree(source, tmp_path / "source")
    cases.pcm(both / "A.wav", cases.sound(9, seconds=1.0))
    _, statuses = prepared((both, names, cache), tmp_path, [{"file_name": "A.WAV", "caption": "x"}])
    assert statuses["status"]["A.WAV"] == "ambiguous"
    assert "A.wav or a.wav" in statuses["reason"]["A.WAV"]


def test_tables_in_folders_name_files_of_their_folder(tunes, tmp_path):
    source, names, cache = tunes
    both = shutil.copytree(source, tmp_path / "source")
    (both / "sub" / "metadata.csv").write_bytes("file_name;caption;mood\ng.wav;from below;calm\n".encode("utf-16"))
    found, _ = prepared((both, names, cache), tmp_path, [{"file_name": "a.wav", "caption": "from above", "year": 1970}])
    assert found["sub/g.wav"]["caption"] == "from below"
    assert found["a.wav"]["caption"] == "from above"
    assert [(found[name]["mood"], found[name]["year"]) for name in ("sub/g.wav", "a.wav")] == [
        ("calm", ""),
        ("", "1970"),
    ]

"""The pages as files: complete, safe, reproducible, and explicit about the results that a run lacks."""

import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
import torch
from jsonschema import Draft202012Validator

from eisbach.barrier import barrier_weight
from predictions.registry import load as registry
from predictions.report import inputs, site

VOID = {"meta", "link", "br", "img", "input"}


class Page(HTMLParser):
    """Every tag with its attributes, the text, and the ids."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text, self.open = [], [], []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.text.append(data)


def pages(report):
    return {path.name: Page(path) for path in sorted(report.folder.glob("*.html"))}


def test_every_page_is_there_and_its_tags_are_balanced(whole):
    found = pages(whole)
    more = {"durations.html", "claim-1.html", "claim-2.html", "claim-3.html"}
    assert set(found) == {name for name, _ in site.PAGES} | more
    assert all(not page.open for page in found.values())


def test_no_page_asks_for_anything_outside_its_folder(whole, incomplete):
    for report in (whole, incomplete):
        for name, page in pages(report).items():
            for _, attributes in page.tags:
                for key in ("src", "href", "xlink:href"):
                    target = attributes.get(key, "#")
                    assert "//" not in target, f"{name} asks for {target}"
                    file = target.partition("#")[0]
                    assert not file or (report.folder / file).is_file(), f"{name} links to {target}, which is not there"
            policy = [attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes]
            assert policy[0].startswith("default-src 'none'")
            assert "unsafe" not in policy[0]
            assert not any("style" in attributes for _, attributes in page.tags), "the policy forbids style attributes"


def test_links_within_pages_have_a_target_and_ids_are_unique(whole):
    found = pages(whole)
    ids = {
        name: [attributes["id"] for _, attributes in page.tags if "id" in attributes] for name, page in found.items()
    }
    for name, page in found.items():
        assert len(ids[name]) == len(set(ids[name]))
        for _, attributes in page.tags:
            file, _, anchor = attributes.get("href", "").partition("#")
            if anchor:
                assert anchor in ids[file or name], f"{name} links to {file}#{anchor}"


def test_hostile_text_is_shown_as_text(whole):
    for name, page in pages(whole).items():
        scripts = [attributes for tag, attributes in page.tags if tag == "script"]
        assert scripts == [{"src": "report.js", "defer": None}], name
        assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
        raw = (whole.folder / name).read_text()
        assert not re.search("[\x00\u202e]", raw), f"{name} holds a control character"
    listening = "".join(pages(whole)["listen.html"].text)
    assert "<script>alert('x')</script>" in listening
    assert "[U+202E]right to left␀null" in listening
    assert "<b>$arm_{</b>␀" in listening
    assert "word " * 2048 in listening


def test_names_of_audio_files_do_not_reveal_the_arm(whole):
    sources = [attributes["src"] for tag, attributes in pages(whole)["listen.html"].tags if tag == "audio"]
    assert len(sources) == 6
    assert all(re.fullmatch(r"audio/[0-9a-f]{16}\.mp3", source) for source in sources)


def test_every_picture_has_a_text_alternative(whole):
    for page in pages(whole).values():
        for tag, attributes in page.tags:
            if tag == "svg":
                assert attributes["role"] == "img"
                assert len(attributes["aria-label"]) > 10
            if tag == "img":
                assert attributes["alt"]


def test_the_same_tables_give_the_same_bytes(whole, tmp_path, make_report):
    again = make_report(whole.root, tmp_path / "again")
    files = {path.relative_to(whole.folder) for path in whole.folder.rglob("*") if path.is_file()}
    assert files == {path.relative_to(again.folder) for path in again.folder.rglob("*") if path.is_file()}
    assert all((whole.folder / file).read_bytes() == (again.folder / file).read_bytes() for file in files)


def test_each_claim_shows_its_words_proof_counterexample_and_threats(whole):
    text = " ".join(" ".join(pages(whole)["claim-1.html"].text).split())
    for words in (
        "holds",
        "insensitive",
        "not tested",
        "2 of 2 members",
        "sample-specific",
        "A counterexample",
        "(4, 1, 1)",
        "disproved",
        "Threats to validity",
    ):
        assert words in text
    assert "mathematics.html#fixed_point" in (whole.folder / "claim-1.html").read_text()


def test_what_decides_nothing_is_folded_away(whole):
    page = (whole.folder / "claim-1.html").read_text()
    folded = "".join(re.findall(r"<details>.*?</details>", page, re.DOTALL))
    assert "by a detail" in folded
    assert "by a detail" not in page.replace(folded, "").partition("<details>")[0]


def test_the_first_page_answers_first(whole):
    text = " ".join(" ".join(pages(whole)["index.html"].text).split())
    headline = whole.inputs.document.headline
    assert text.index("Should I switch it on?") < text.index(headline.answer[:40]) < text.index("curriculum")
    for column in headline.columns:
        assert column in text


def test_a_counterexample_is_drawn_and_played_and_its_missing_files_are_named(whole):
    page = pages(whole)["claim-1.html"]
    assert sum(tag == "audio" for tag, _ in page.tags) == 1
    weight = barrier_weight(torch.tensor([[[4.0, 1.0, 1.0]]]).sqrt()).item()
    assert any(f"flatter: weight {weight:.3f}" in attributes.get("aria-label", "") for _, attributes in page.tags)
    said = [sentence for sentence in whole.inputs.missing if "counterexample" in sentence]
    assert len(said) == 2
    assert all("lost.flac" in sentence or "quote" in sentence for sentence in said)


def test_toys_have_a_section_per_regime_with_its_pictures(whole):
    text = " ".join(pages(whole)["toys.html"].text)
    assert text.index("2-D densities, two moons") < text.index("Trajectories, 32 channels")
    assert sum(tag == "figure" for tag, _ in pages(whole)["toys.html"].tags) == 4 + 3


def test_the_report_of_an_incomplete_run_names_the_missing_results(incomplete):
    assert "This run has no verdicts yet" in " ".join((incomplete.folder / "index.html").read_text().split())
    said = " ".join(incomplete.inputs.missing)
    for words in (
        "seed 1 (artifacts/evaluate/<seed>/losses.parquet)",
        "results/verdicts.json",
        "results/base.json",
        "census.parquet",
    ):
        assert words in said
    for file in ("index.html", "provenance.html", "report.md"):
        assert "census.parquet" in (incomplete.folder / file).read_text()
    assert not (incomplete.folder / "verdicts.json").exists()
    claims = registry.load().claims
    assert [claim.judged.id for claim in incomplete.site.found] == [claim.id for claim in claims], (
        "not yet judged, but named"
    )
    assert f"claim-{len(claims)}.html" in {path.name for path in incomplete.folder.iterdir()}
    assert (incomplete.folder / "listen.html").read_text().count("<audio") == 6


def test_a_run_without_results_has_a_report_too(tmp_path, whole, make_report):
    (tmp_path / "params.yaml").write_text((whole.root / "params.yaml").read_text())
    empty = make_report(tmp_path, tmp_path / "report")
    assert {name for name, _ in site.PAGES} <= {path.name for path in empty.folder.iterdir()}
    assert len(empty.inputs.missing) >= 10


def test_the_json_validates_against_its_published_schema(whole):
    schema = json.loads((whole.folder / "verdicts.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    document = json.loads((whole.folder / "verdicts.json").read_text())
    validator.validate(document)
    document["claims"][0]["atoms"][0]["verdicts"][0]["word"] = "proven"
    assert not validator.is_valid(document)


def test_the_markdown_has_the_answer_a_row_per_claim_and_no_markup_of_others(whole):
    text = (whole.folder / "report.md").read_text()
    assert "<script" not in text
    assert "Should I switch it on?" in text
    rows = [line for line in text.splitlines() if line.startswith("| curriculum")]
    assert len(rows) == 1
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == len(whole.inputs.document.headline.columns) + 2


@pytest.mark.parametrize("content", ['{"schema": 1, "claims": []}', "{"])
def test_verdicts_of_another_layout_are_reported_as_missing(tmp_path, content):
    (tmp_path / inputs.VERDICTS.parent).mkdir()
    (tmp_path / inputs.VERDICTS).write_text(content)
    found = inputs.read(tmp_path, [])
    assert found.document is None
    assert "verdicts" not in found.numbers
    assert f"No verdicts: {inputs.VERDICTS} cannot be read." in found.missing


def test_an_outcome_table_of_another_layout_is_reported_as_missing(tmp_path):
    path = tmp_path / inputs.paths.TOYS / "outcomes.parquet"
    path.parent.mkdir(parents=True)
    pd.DataFrame({"metric": ["vendi"], "value": [1.0]}).to_parquet(path)
    found = inputs.read(tmp_path, [])
    assert "toy_outcomes" not in found.tables
    assert any("toys' outcomes" in sentence for sentence in found.missing)

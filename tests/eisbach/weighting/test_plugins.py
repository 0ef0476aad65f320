"""Weightings of a user: from a file, an installed module and an entry point."""

import subprocess
import sys
from pathlib import Path

import pytest

from eisbach.errors import UserError
from eisbach.weighting import make, names, plugins, registry

ROOT = Path(__file__).parents[3]
SOURCE = """
from dataclasses import dataclass
from eisbach.weighting import weighting

@weighting("{name}", per_sample=True)
@dataclass(frozen=True)
class Mine:
    power: float = 1.0
    def __call__(self, output, target, t, mask=None, **_): return t**self.power
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))


def written(path: Path, name: str) -> str:
    path.write_text(SOURCE.format(name=name))
    return str(path)


def test_a_file_registers_its_weighting_once(tmp_path):
    file = written(tmp_path / "mine.py", "of_a_file")
    plugins.load([file])
    plugins.load([file])
    assert names()[-1] == "of_a_file"
    assert make("of_a_file", power=2.0).power == 2.0


def test_two_files_of_one_name_in_two_folders_are_two_plugins(tmp_path):
    (tmp_path / "other").mkdir()
    plugins.load([written(tmp_path / "mine.py", "one"), written(tmp_path / "other" / "mine.py", "two")])
    assert names()[-2:] == ["one", "two"]


def test_a_module_is_imported_by_its_dotted_name(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    written(tmp_path / "eisbach_plugin_for_a_test.py", "of_a_module")
    plugins.load(["eisbach_plugin_for_a_test"])
    assert names()[-1] == "of_a_module"


def test_an_installed_entry_point_needs_no_setting(tmp_path):
    """A distribution on the path is what an installed one is; in another process, so that none of it stays."""
    written(tmp_path / "contrast_package.py", "of_a_package")
    facts = tmp_path / "contrast_package-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: contrast-package\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[eisbach.weightings]\ncontrast = contrast_package\n")
    program = "from eisbach.weighting import plugins, names; plugins.load([]); print(names()[-1])"
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(tmp_path)!r}); {program}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.strip() == "of_a_package"


@pytest.mark.parametrize("entry", ["missing.py", "no_such_module_anywhere"])
def test_a_missing_plugin_is_named(entry):
    with pytest.raises(UserError, match=rf"^'{entry}' of finetune.plugins cannot be imported: .*{entry}.*; correct it"):
        plugins.load([entry])


@pytest.mark.parametrize("text", ["1 / 0", "import ("])
def test_a_plugin_that_fails_is_named_and_fails_again(tmp_path, text):
    file = tmp_path / "broken.py"
    file.write_text(text)
    for _ in range(2):
        with pytest.raises(UserError, match=r"broken\.py' of finetune\.plugins cannot be imported: (Zero|Syntax)"):
            plugins.load([str(file)])


def test_a_plugin_cannot_take_the_name_of_a_control(tmp_path):
    with pytest.raises(UserError, match="a weighting named 'oracle' exists already; choose another name"):
        plugins.load([written(tmp_path / "mine.py", "oracle")])


def test_the_fingerprint_is_of_the_content(tmp_path):
    file = written(tmp_path / "mine.py", "first")
    before = plugins.fingerprint([file])
    assert plugins.fingerprint([file]) == before
    written(tmp_path / "mine.py", "second")
    assert plugins.fingerprint([file]) != before

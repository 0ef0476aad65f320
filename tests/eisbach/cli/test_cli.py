"""The `eisbach` command finds its sub-commands and passes words on unchanged; each says what it does."""

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from eisbach import cli

ROOT = Path(__file__).parents[3]


def eisbach(*words, cwd=ROOT) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "from eisbach.cli import main; main()", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def docstring(module: str) -> str:
    return ast.get_docstring(ast.parse(Path(find_spec(module).origin).read_text()))


@pytest.mark.parametrize("name", cli.SUBCOMMANDS)
def test_a_sub_command_s_help_is_the_first_line_of_its_docstring(name):
    assert docstring(f"eisbach.cli.{name}").splitlines()[0] == cli.SUBCOMMANDS[name]


@pytest.mark.parametrize("name", cli.SUBCOMMANDS)
def test_a_sub_command_answers_help_without_importing_torch(name):
    program = f"import sys; from eisbach.cli import main; sys.argv = ['eisbach', '{name}', '--help']\n"
    program += "try: main()\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: eisbach {name} ")


@pytest.mark.parametrize("name", cli.MODULES)
def test_a_module_gets_the_words_after_its_name(name):
    done = eisbach(name, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: python -m {cli.MODULES[name][0]} ")


def test_no_name_stands_twice():
    assert not cli.SUBCOMMANDS.keys() & cli.MODULES.keys()


def test_compose_and_check_do_what_the_modules_do(tmp_path):
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    assert eisbach("compose", "profile=smoke", "finetune.steps=7", cwd=tmp_path).returncode == 0
    assert "steps: 7" in (tmp_path / "params.yaml").read_text()
    assert "adapters" in eisbach("check", cwd=tmp_path).stderr  # the folder is missing there
    (tmp_path / "adapters").mkdir()
    (tmp_path / "eisbach").symlink_to(ROOT / "eisbach")
    assert eisbach("check", cwd=tmp_path).returncode == 0
    done = eisbach("compose", "finetune.stepz=7", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")


@pytest.mark.parametrize(
    "words", [[], ["weight"], ["--no-such-option"], ["weigh", "--no-such-option"], ["weigh", "--mod"]]
)
def test_unknown_words_get_a_usage_line(words):
    done = eisbach(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: eisbach ")
    assert "Traceback" not in done.stderr

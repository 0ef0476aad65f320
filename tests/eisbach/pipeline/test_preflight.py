"""The check of params.yaml before DVC starts."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from eisbach.errors import UserError
from eisbach.pipeline import arm_check, preflight
from eisbach.pipeline.params import Arm
from tests.settings import FOLDER, MUSICCAPS, PARAMS, ROOT


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with what the committed settings name."""
    monkeypatch.chdir(tmp_path)
    for folder in ("adapters", "eisbach/data", "music"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "eisbach/data/pieces.json", "eisbach/data")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


def with_corpus(corpus, **changes):
    return replace(PARAMS, prepare=replace(PARAMS.prepare, corpus=replace(corpus, **changes)))


def with_arms(**arms):
    return replace(PARAMS.finetune, arms=arms)


def test_the_command_prints_nothing_for_a_valid_file(project, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["preflight"])
    preflight.main()
    assert capsys.readouterr().out == ""


def test_make_repro_calls_it_before_dvc():
    recipe = (ROOT / "Makefile").read_text()
    assert recipe.index("-m eisbach.pipeline.preflight") < recipe.index("dvc repro\n")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (replace(PARAMS, imported="none"), "imported is 'none' in params.yaml, but there is no such folder"),
        (
            replace(PARAMS, imported="params.yaml"),
            "imported is 'params.yaml' in params.yaml, but there is no such folder",
        ),
        (replace(PARAMS, imported="x" * 1000), r"imported in params.yaml cannot be read \(File name too long\)"),
        (replace(PARAMS, imported="artifacts/finetune"), "imported is 'artifacts/finetune' .* writes its own files"),
        (replace(PARAMS, imported="."), "imported is '.' .* writes its own files"),
        (with_corpus(FOLDER, path="nowhere"), "prepare.corpus.path is 'nowhere' .* no such folder"),
        (with_corpus(FOLDER, captions="a.csv"), "prepare.corpus.captions is 'music/a.csv' .* no such file"),
        (with_corpus(MUSICCAPS, cookies="c.txt"), "prepare.corpus.cookies is 'c.txt' .* no such file"),
        (with_corpus(PARAMS.prepare.corpus, path="music"), "prepare.corpus.path is 'music' .* no such file"),
        (replace(PARAMS, model=replace(PARAMS.model, source="nowhere")), "model.source is 'nowhere', which is neither"),
        (replace(PARAMS, model=replace(PARAMS.model, source="x" * 1000)), r"model.source .* \(File name too long\)"),
        (
            replace(PARAMS, finetune=replace(PARAMS.finetune, init_from="nowhere")),
            "finetune.init_from is 'nowhere' .* no such file or folder",
        ),
        (
            replace(PARAMS, finetune=replace(PARAMS.finetune, init_from="params.yaml")),
            "params.yaml",
        ),
        (replace(PARAMS, evaluate=replace(PARAMS.evaluate, clap="clap")), "evaluate.clap is 'clap' .* no such folder"),
        (
            replace(PARAMS, finetune=with_arms(x=Arm("none"))),
            "finetune.arms.x in params.yaml: unknown weighting 'none'",
        ),
        (replace(PARAMS, toys=replace(PARAMS.toys, arms=["barier"])), "toys.arms in params.yaml has unknown barier"),
    ],
)
def test_what_would_end_a_stage_is_refused(project, params, said):
    (project / "artifacts" / "finetune").mkdir(parents=True)
    with pytest.raises(UserError, match=said):
        preflight.check(params)


@pytest.mark.parametrize("corpus", [FOLDER, MUSICCAPS])
def test_a_corpus_in_a_folder_that_exists_is_accepted(project, corpus):
    preflight.check(with_corpus(corpus))
    preflight.check(with_corpus(corpus, path=str(Path("music").resolve())))


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        (Arm("barrier", {"lambda": 0.5}), "weighting 'barrier' has no setting lambda; it has lam, reduction"),
        (Arm("barrier", {"lam": 1.5}), r"lam must lie in \[0, 1\]; got 1.5"),
        (Arm("barrier", {"lam": "0.5"}), "setting lam of weighting 'barrier' is '0.5'; it must be of type float"),
        (Arm("barrier", {"reduction": "mean"}), "reduction must be 'sample' or 'batch'; got 'mean'"),
        (Arm("barrier", {"reduction": 1}), "setting reduction .* it must be of type str"),
        (Arm("timestep", {"bins": 2.5}), "setting bins .* it must be of type int"),
        (Arm("timestep", {"bins": 0}), "a curve needs one bin of t or more; got 0"),
        (Arm("timestep", {"bins": 10**9}), "at most 65536 bins"),
        (Arm("edm2", {"features": 0}), "features must be from 1 to 65536; got 0"),
        (Arm("edm2", {"features": 10**12}), "features must be from 1 to 65536"),
        (Arm("min_snr", {"gamma": -1}), "gamma must be above 0; got -1"),
        (Arm("shuffled", {"seed": "one"}), "setting seed .* it must be of type int"),
        (Arm("barrier", {}, "baseline"), r"follows is 'baseline' .* 'barrier' follows no arm; remove it"),
        (
            Arm("constant", {}, "trace"),
            "follows is 'trace' .* not a trained arm that it can replay; choose one of baseline",
        ),
        (Arm("constant", {}, "x"), "follows is 'x' .* not a trained arm"),
    ],
)
def test_an_arm_that_cannot_train_is_named(arm, said):
    with pytest.raises(UserError, match=rf"^finetune\.arms\.x.*{said}"):
        arm_check.finetune(with_arms(baseline=Arm("baseline"), trace=Arm("trace", {}, "baseline"), x=arm))


def test_the_name_of_a_weighting_is_no_name_for_an_arm_of_another():
    with pytest.raises(UserError, match=r"'constant' is the name of another weighting, .* give the arm another name"):
        arm_check.finetune(with_arms(barrier=Arm("barrier"), constant=Arm("timestep", {"bins": 1})))


def test_the_name_of_the_untrained_model_is_no_name_for_an_arm():
    with pytest.raises(UserError, match=r"finetune\.arms\.base in params\.yaml has the name of the untrained model"):
        arm_check.finetune(with_arms(base=Arm("baseline")))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (b"theirs.safetensors", "adapters/theirs.safetensors"),
        (b"barrier.safetensors", "has the name of an arm or of a weighting"),
        (b"base.safetensors", "has the name of an arm or of a weighting"),
        (b"caf\xe9.safetensors", r"'adapters/caf\\udce9.safetensors' has a name that cannot be printed"),
    ],
)
def test_an_imported_adapter_that_cannot_be_used_is_named_before_any_work(project, name, said):
    (Path("adapters") / os.fsdecode(name)).write_bytes(b"no adapter")
    with pytest.raises(UserError, match=said):
        preflight.check(PARAMS)


def test_links_to_nothing_and_hidden_files_among_the_adapters_are_no_adapters(project):
    Path("adapters/.#README.md").symlink_to("somebody@host")
    Path("adapters/._theirs.safetensors").write_bytes(b"no adapter")
    preflight.check(PARAMS)
    Path("adapters/theirs.safetensors").symlink_to("gone")
    with pytest.raises(UserError, match=r"adapters/theirs\.safetensors"):
        preflight.check(PARAMS)


def test_a_whole_number_in_an_arm_stays_one():
    arm_check.finetune(with_arms(barrier=Arm("barrier", {"lam": 1}), curve=Arm("timestep", {"bins": 10})))

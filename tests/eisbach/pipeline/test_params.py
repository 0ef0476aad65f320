import shutil
from pathlib import Path

import pytest
import yaml

from eisbach import compose
from eisbach.errors import UserError
from eisbach.pipeline import params
from eisbach.pipeline.params import Folder, MusicCaps, Scores
from tests.settings import text

ROOT = Path(__file__).parents[3]


def written(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return path


def preset(tmp_path, *overrides):
    return params.load(written(tmp_path, compose.composed(list(overrides), ROOT / "conf")))


def test_the_committed_file_is_the_default_profile():
    assert (ROOT / "params.yaml").read_text() == compose.composed(["profile=default"], ROOT / "conf")


@pytest.mark.parametrize("profile", ["default", "smoke", "confirm", "paper", "released"])
def test_every_profile_is_valid_and_complete(tmp_path, profile):
    preset(tmp_path, f"profile={profile}")


def test_the_paper_preset_is_the_experiment_of_the_paper(tmp_path):
    paper = preset(tmp_path, "profile=paper")
    assert paper.model.source == "stabilityai/stable-audio-3-medium-base"
    assert isinstance(paper.prepare.corpus, MusicCaps)
    settings = paper.finetune
    assert (settings.adapter, settings.rank, settings.alpha) == ("dora", 16, 16.0)
    assert (settings.lr, settings.batch, settings.steps) == (5e-5, 4, 1000)
    assert settings.norm_gradient == "attached"  # Stability's, which the paper trained with
    assert (settings.arms["barrier"].settings["lam"], settings.arms["baseline"].weighting) == (0.5, "baseline")
    assert (paper.generate.prompts, paper.generate.cfg_scale, paper.generate.steps) == (4, 3.0, 100)


def test_the_released_preset_is_the_released_recipe(tmp_path):
    settings = preset(tmp_path, "profile=released").finetune
    assert (settings.lr, settings.weight_decay, settings.betas) == (1e-4, 0.01, (0.9, 0.95))
    assert (settings.batch, settings.steps, settings.cfg_dropout) == (1, 10_000, 0.1)
    assert (settings.ot_coupling, settings.silence_extension) == (True, 4.0)
    assert settings.inpainting == (0.1, 0.8, 0.1)


def test_the_groups_of_a_preset_can_be_exchanged(tmp_path):
    own = preset(tmp_path, "profile=paper", "data=folder", "model=small", "arms=controls")
    assert isinstance(own.prepare.corpus, Folder)
    assert own.model.source == ""
    assert "shuffled" in own.finetune.arms
    assert own.finetune.steps == 1000


@pytest.mark.parametrize(("data", "kind"), [("scores", Scores), ("musiccaps", MusicCaps), ("folder", Folder)])
def test_every_corpus_of_conf_is_valid_and_complete(tmp_path, data, kind):
    assert type(preset(tmp_path, f"data={data}").prepare.corpus) is kind


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"finetune": {"leraning_rate": 1}}, "unknown key 'finetune.leraning_rate'"),
        ({"prepare": {"seed": "abc"}}, "'prepare.seed' is 'abc': input should be a valid integer"),
        ({"prepare": {"corpus": {"kind": "radio"}}}, "'prepare.corpus' is {'kind': 'radio'}: input tag 'radio'"),
        ({"finetune": {"steps": "100"}}, "'finetune.steps' is '100': input should be a valid integer"),
        ({"finetune": {"adapter": "hydra"}}, "'finetune.adapter' is 'hydra': input should be 'dora' or 'lora'"),
        ({"seeds": 3}, "'seeds' is 3: input should be a list"),
        ({"finetune": {"arms": {"x": {"settings": {}}}}}, "missing key 'finetune.arms.x.weighting'"),
    ],
)
def test_a_wrong_key_or_value_is_named_in_one_sentence(tmp_path, changes, said):
    path = written(tmp_path, text(**changes))
    with pytest.raises(UserError) as caught:
        params.load(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert ";" not in str(caught.value).removesuffix("; correct it, or write it anew with `python -m eisbach.compose`")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pth": "x"}, "unknown key 'prepare.corpus.pth'"),
        ({"min_seconds": "short"}, "'prepare.corpus.min_seconds' is 'short'"),
    ],
)
def test_a_wrong_key_of_a_corpus_is_named_without_its_kind(tmp_path, change, said):
    whole = yaml.safe_load(compose.composed(["data=folder"], ROOT / "conf"))
    whole["prepare"]["corpus"] |= change
    with pytest.raises(UserError, match=said):
        params.load(written(tmp_path, yaml.safe_dump(whole)))


@pytest.mark.parametrize("section", ["seeds", "finetune", "toys"])
def test_a_missing_section_is_named(tmp_path, section):
    whole = yaml.safe_load(text())
    del whole[section]
    with pytest.raises(UserError, match=f": missing key '{section}'; correct it"):
        params.load(written(tmp_path, yaml.safe_dump(whole)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("prepare: [", "not readable as YAML"),
        ("- 1", "has no sections"),
        ("just text", "has no sections"),
        ("3", "has no sections"),
        ("", "is empty"),
        ("# a comment\n", "is empty"),
        ("seeds:\n\t- 1", r"line 2, column 1: .*'\\t'"),
        ("seeds: [0]\nseeds: [1]", 'line 2, column 1: found duplicate key "seeds"'),
        ("seeds: [0]\n---\nseeds: [1]", "another document"),
        ("seeds: 2026-01-01", "'seeds' is a date, 2026-01-01"),
        ("seeds: 2026-02-31", "day is out of range"),
        ("1: 2", "the key 1 is no text"),
        ("seeds: " + "9" * 5000, "not readable as YAML"),
        ("[" * 5000, "not readable as YAML|nested too deeply"),
        ("seeds: &a [*a]", "nested too deeply, or contains itself"),
        ("seeds: !!python/object:os.system x", "not readable as YAML"),
    ],
)
def test_a_file_without_settings_is_refused_in_one_sentence(tmp_path, content, said):
    with pytest.raises(UserError, match=said) as caught:
        params.load(written(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_where_to_run(tmp_path):
    with pytest.raises(UserError, match="project's root"):
        params.load(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "is not UTF-8 (byte 0); save it as UTF-8"),
        ("seeds: [0]  # caf\xe9".encode("latin-1"), "byte 17"),
    ],
)
def test_a_file_in_another_encoding_is_refused(tmp_path, content, said):
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(UserError) as caught:
        params.load(tmp_path / "params.yaml")
    assert said in str(caught.value)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "params.yaml").mkdir()
    with pytest.raises(UserError, match=r"params\.yaml cannot be read \(Is a directory\)"):
        params.load(tmp_path / "params.yaml")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + (ROOT / "params.yaml").read_bytes())
    assert params.load(path) == params.load(ROOT / "params.yaml")


@pytest.mark.parametrize("number", ["1e-4", "1E-4", "1.0e-4", ".0001", "0.0001"])
def test_a_number_may_be_written_in_any_usual_way(tmp_path, number):
    changed = text(finetune={"lr": 0.125}).replace("\n  lr: 0.125\n", f"\n  lr: {number}\n")
    assert params.load(written(tmp_path, changed)).finetune.lr == 1e-4
    assert preset(tmp_path, f"finetune.lr={number}").finetune.lr == 1e-4


def test_an_interpolation_that_leads_nowhere_is_refused_in_one_sentence():
    with pytest.raises(UserError, match="does not fit conf/") as caught:
        compose.composed(["imported=${nope}"], ROOT / "conf")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fault", ["a: [", "a: 1\na: 2", "\ta: 1"])
def test_a_file_of_conf_that_is_not_yaml_is_refused_in_one_sentence(tmp_path, fault):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "conf" / "profile" / "smoke.yaml").write_text(fault)
    with pytest.raises(UserError, match="does not fit conf/") as caught:
        compose.composed(["profile=smoke"], tmp_path / "conf")
    assert "\n" not in str(caught.value)


def test_an_unknown_profile_is_named():
    with pytest.raises(UserError, match="profile=nope"):
        compose.composed(["profile=nope"], ROOT / "conf")


def test_an_invalid_setting_leaves_the_old_params(tmp_path, monkeypatch):
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    path = written(tmp_path, "old")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["compose", "finetune.rank=high"])
    with pytest.raises(UserError, match=r"^conf/ with finetune\.rank=high: 'finetune\.rank' is 'high'"):
        compose.main()
    assert path.read_text() == "old"
    monkeypatch.setattr("sys.argv", ["compose", "finetune.rank=3"])
    compose.main()
    assert params.load(path).finetune.rank == 3

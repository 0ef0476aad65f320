from pathlib import Path

import pytest

from eisbach import compose
from eisbach.errors import UserError
from eisbach.pipeline import params
from eisbach.pipeline.params import Folder, MusicCaps, Scores

ROOT = Path(__file__).parents[3]


def written(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return path


def test_the_committed_file_is_the_default_profile():
    assert (ROOT / "params.yaml").read_text() == compose.composed(["profile=default"], ROOT / "conf")


@pytest.mark.parametrize("profile", ["default", "smoke", "confirm", "paper", "released"])
def test_every_profile_is_valid_and_complete(tmp_path, profile):
    params.load(written(tmp_path, compose.composed([f"profile={profile}"], ROOT / "conf")))


def preset(tmp_path, *overrides):
    return params.load(written(tmp_path, compose.composed(list(overrides), ROOT / "conf")))


def test_the_paper_s_preset_is_the_paper_s_experiment(tmp_path):
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


def test_a_preset_s_groups_can_be_exchanged(tmp_path):
    own = preset(tmp_path, "profile=paper", "data=folder", "model=small", "arms=controls")
    assert isinstance(own.prepare.corpus, Folder)
    assert own.model.source == ""
    assert "shuffled" in own.finetune.arms
    assert own.finetune.steps == 1000


@pytest.mark.parametrize(("data", "kind"), [("scores", Scores), ("musiccaps", MusicCaps), ("folder", Folder)])
def test_every_corpus_of_conf_is_the_dataclass_s_default(tmp_path, data, kind):
    loaded = params.load(written(tmp_path, compose.composed([f"data={data}"], ROOT / "conf")))
    assert loaded.prepare.corpus == kind()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("finetune: {leraning_rate: 1}", "unknown key 'finetune.leraning_rate'"),
        ("prepare: {seed: abc}", "'prepare.seed' is 'abc'"),
        ("prepare: {corpus: {kind: folder, pth: x}}", "unknown key 'prepare.corpus.pth'"),
        ("prepare: {corpus: {kind: folder, min_seconds: short}}", "'prepare.corpus.min_seconds' is 'short'"),
        ("prepare: {corpus: {kind: radio}}", "'prepare.corpus' is {'kind': 'radio'}"),
        ("finetune: {steps: '100'}", "'finetune.steps' is '100'"),
        ("finetune: {adapter: hydra}", "'finetune.adapter' is 'hydra'"),
        ("seeds: 3", "'seeds' is 3"),
        ("finetune: {arms: {x: {settings: {}}}}", "finetune.arms.x"),
        ("prepare: [", "not readable as YAML"),
        ("- 1", "should be an object"),
    ],
)
def test_a_wrong_key_or_value_is_named_in_one_sentence(tmp_path, text, said):
    with pytest.raises(UserError) as caught:
        params.load(written(tmp_path, text))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_where_to_run(tmp_path):
    with pytest.raises(UserError, match="project's root"):
        params.load(tmp_path / "params.yaml")


def test_an_unknown_profile_is_named():
    with pytest.raises(UserError, match="profile=nope"):
        compose.composed(["profile=nope"], ROOT / "conf")

from pathlib import Path

import pytest

from eisbach import compose, params
from eisbach.errors import UserError
from eisbach.params import Folder, MusicCaps, Scores

ROOT = Path(__file__).parents[2]


def written(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return path


def test_the_committed_file_is_the_default_profile():
    assert (ROOT / "params.yaml").read_text() == compose.composed(["profile=default"], ROOT / "conf")


@pytest.mark.parametrize("profile", ["default", "smoke", "confirm"])
def test_every_profile_is_valid_and_complete(tmp_path, profile):
    params.load(written(tmp_path, compose.composed([f"profile={profile}"], ROOT / "conf")))


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

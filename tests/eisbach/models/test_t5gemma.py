import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from eisbach.errors import UserError
from eisbach.models import hub
from eisbach.models.t5gemma import T5Gemma
from tests import checkpoints


def text_encoder(folder, **settings):
    given = {"subfolder": checkpoints.TEXT, "repo_id": "nobody/nothing", "max_length": 16, "padding_mode": "learned"}
    return T5Gemma(768, given | settings, hub.Source(str(folder)))


def test_text_states_are_padded_to_the_maximal_length_and_masked(folder):
    states, mask = text_encoder(folder).states(["a b"])
    assert states.shape == (1, 16, 768)
    assert mask.sum() == len("a b") + 1  # and <bos>


def test_without_a_text_encoder_in_the_checkpoint_the_configured_folder_is_used(folder, tmp_path):
    states, _ = text_encoder(folder).states(["a b"])
    shutil.move(folder / checkpoints.TEXT, tmp_path / "elsewhere" / checkpoints.TEXT)
    moved, _ = text_encoder(folder, model_path=str(tmp_path / "elsewhere")).states(["a b"])
    assert torch.equal(states, moved)


def test_the_checkpoint_s_own_text_encoder_comes_before_the_configured_folder(folder, tmp_path):
    other = shutil.copytree(folder / checkpoints.TEXT, tmp_path / "elsewhere" / checkpoints.TEXT)
    state = load_file(other / hub.WEIGHTS)
    save_file({name: 2 * tensor for name, tensor in state.items()}, other / hub.WEIGHTS, {"format": "pt"})
    wanted, _ = text_encoder(folder).states(["a b"])
    states, _ = text_encoder(folder, model_path=str(tmp_path / "elsewhere")).states(["a b"])
    assert torch.equal(states, wanted)
    shutil.rmtree(folder / checkpoints.TEXT)
    states, _ = text_encoder(folder, model_path=str(tmp_path / "elsewhere")).states(["a b"])
    assert not torch.allclose(states, wanted)


def narrow(folder):
    path = folder / checkpoints.TEXT / "config.json"
    config = json.loads(path.read_text())
    config["encoder"]["hidden_size"] = 512
    path.write_text(json.dumps(config))


def without_a_layer(folder):
    path = folder / checkpoints.TEXT / hub.WEIGHTS
    state = load_file(path)
    save_file({name: t for name, t in state.items() if "encoder.layers.1.mlp" not in name}, path, {"format": "pt"})


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (narrow, "its states have 512 features, not 768"),
        (without_a_layer, "tensors are missing"),
        (lambda folder: (folder / checkpoints.TEXT / hub.WEIGHTS).write_bytes(b"x"), "holds no T5Gemma"),
        (lambda folder: (folder / checkpoints.TEXT / "tokenizer.json").write_text("{}"), "holds no T5Gemma"),
        (lambda folder: (folder / checkpoints.TEXT / "config.json").write_text("{}"), "holds no T5Gemma"),
    ],
)
def test_a_broken_text_encoder_is_refused_in_one_sentence(folder, break_it, said):
    break_it(folder)
    with pytest.raises(UserError) as refusal:
        text_encoder(folder).states(["a"])
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_text_encoder_is_refused_with_every_location_tried(folder, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    shutil.rmtree(folder / checkpoints.TEXT)
    with pytest.raises(UserError, match=r"no text encoder where .* looks for it: .*config\.json is missing.*nobody"):
        text_encoder(folder).states(["a"])

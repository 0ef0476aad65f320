"""Stable Audio 3's own architecture at CPU size, and the base checkpoint that this package ships.

The folder has the hub's layout: `model_config.json`, `model.safetensors`, `README.md` (the model card).
stable-audio-tools builds the model; the codec and the text encoder, which its factory does not know, are put in
place of SAME and T5Gemma.
"""

import contextlib
import copy
import io
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from stable_audio_tools.models.factory import create_model_from_config
from torch import nn

from eisbach.errors import UserError
from eisbach.files import replacing
from eisbach.models.codec import MelPatchCodec
from eisbach.models.text import MiniLMConditioner

BASE = Path(__file__).parent / "small_base"


def build(config: dict) -> nn.Module:
    """A stable-audio-tools model from a `model_config.json`, weights as initialised.

    Returns its `ConditionedDiffusionModelWrapper` with `pretransform` (`MelPatchCodec`) and a "prompt" conditioner
    (`MiniLMConditioner`).
    """
    config = copy.deepcopy(config)
    model_config = config["model"]
    codec_config = model_config.pop("pretransform")["config"]
    conditioners = model_config["conditioning"]["configs"]
    prompt = next(entry for entry in conditioners if entry["id"] == "prompt")
    conditioners.remove(prompt)
    with contextlib.redirect_stdout(io.StringIO()):  # the factory reports which attention kernels are missing
        model = create_model_from_config(config)
    model.pretransform = MelPatchCodec(**codec_config, sample_rate=config["sample_rate"])
    model.min_input_length = model.pretransform.downsampling_ratio
    model.conditioner.conditioners["prompt"] = MiniLMConditioner(
        model_config["conditioning"]["cond_dim"], **prompt["config"]
    )
    return model


def is_like(config: dict) -> bool:
    """Whether a `model_config.json` is one that `build` takes."""
    return config["model"].get("pretransform", {}).get("type") == "mel_patch"


def start_at_identity(model: nn.Module) -> None:
    """Initialise so that the untrained output is -x_t, the right answer at t = 0.

    Stable Audio's branches start at zero, so the input passes straight from project_in to project_out: make their
    product minus the identity. Training then spends its steps on what differs from it.
    """
    transformer = model.model.model.transformer
    nn.init.orthogonal_(transformer.project_in.weight)
    with torch.no_grad():
        transformer.project_out.weight.copy_(-transformer.project_in.weight.T)


def load(folder: str | Path = BASE) -> nn.Module:
    """The model of a folder in the hub's layout, in fp32 and eval mode, all parameters frozen.

    Raises UserError when a file is missing or the tensors do not fit the configuration.
    """
    folder = Path(folder)
    config_path, weights_path = folder / "model_config.json", folder / "model.safetensors"
    for path in (config_path, weights_path):
        if not path.is_file():
            raise UserError(f"{path} is missing; a model folder holds model_config.json and model.safetensors")
    model = build(json.loads(config_path.read_text()))
    state = {name: tensor.float() for name, tensor in load_file(weights_path).items()}
    expected = model.state_dict()
    wrong = sorted(expected.keys() ^ state.keys()) or sorted(
        name for name in expected if expected[name].shape != state[name].shape
    )
    if wrong:
        raise UserError(f"{weights_path} does not fit {config_path}: first at '{wrong[0]}' ({len(wrong)} tensors)")
    model.load_state_dict(state)
    model.regime = "small"
    return model.eval().requires_grad_(False)


def save(model: nn.Module, path: str | Path, dtype: torch.dtype = torch.float16) -> None:
    """Write `model.safetensors` in the released checkpoints' layout; fp16 halves the file."""
    state = {name: tensor.detach().to(dtype).contiguous() for name, tensor in model.state_dict().items()}
    with replacing(path) as temporary:
        save_file(state, temporary)

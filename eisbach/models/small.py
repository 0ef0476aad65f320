"""Stable Audio 3's own architecture at CPU size, and the base checkpoint that this package ships.

The folder `BASE` has the hub's layout: `model_config.json`, `model.safetensors`, `README.md` (the model card).
stable-audio-tools builds the model; the codec and the text encoder, which its factory does not know, replace SAME and
T5Gemma.
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
from eisbach.models.codec import MelPatchCodec
from eisbach.models.tensor_check import mismatches, shapes
from eisbach.models.text import MiniLMConditioner
from eisbach.pipeline.files import replacing

BASE = Path(__file__).parent / "small_base"


def build(config: dict) -> nn.Module:
    """The model of a `model_config.json`, with stable-audio-tools' initial weights.

    Returns stable-audio-tools' `ConditionedDiffusionModelWrapper` with a `MelPatchCodec` as `pretransform` and a
    `MiniLMConditioner` as "prompt" conditioner.
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


def is_small_config(config: dict) -> bool:
    """Whether `build` accepts this `model_config.json`."""
    return config["model"].get("pretransform", {}).get("type") == "mel_patch"


def init_output_to_minus_input(model: nn.Module) -> None:
    """Initialise `model` in place so that its output is -x_t, the exact velocity of normalised data at t = 0.

    The DiT's residual branches start at zero, so the input passes unchanged from project_in to project_out. This sets
    the product of these two layers to minus the identity; training then only has to learn the difference.
    """
    transformer = model.model.model.transformer
    nn.init.orthogonal_(transformer.project_in.weight)
    with torch.no_grad():
        transformer.project_out.weight.copy_(-transformer.project_in.weight.T)


def load(folder: str | Path = BASE) -> nn.Module:
    """The model in a folder with the hub's layout, in fp32 and eval mode, all parameters frozen; `regime` is "small".

    Raises UserError when a file is missing or the tensors do not fit the configuration.
    """
    folder = Path(folder)
    config_path, weights_path = folder / "model_config.json", folder / "model.safetensors"
    for path in (config_path, weights_path):
        if not path.is_file():
            raise UserError(f"{path} is missing; a model folder holds model_config.json and model.safetensors")
    model = build(json.loads(config_path.read_text()))
    state = {name: tensor.float() for name, tensor in load_file(weights_path).items()}
    if wrong := mismatches(shapes(model.state_dict()), shapes(state)):
        raise UserError(
            f"{weights_path} does not fit {config_path}: {wrong[0]} ({len(wrong)} tensors); take both from one model"
        )
    model.load_state_dict(state)
    model.regime = "small"
    return model.eval().requires_grad_(False)


def save(model: nn.Module, path: str | Path, dtype: torch.dtype = torch.float16) -> None:
    """Write the tensors of `model` to `path`, named as in released checkpoints; fp16 halves the file."""
    state = {name: tensor.detach().to(dtype).contiguous() for name, tensor in model.state_dict().items()}
    with replacing(path) as temporary:
        save_file(state, temporary)

"""Released Stable Audio 3 checkpoints, with the same attributes as the small model.

`load` builds the model without weights, then maps the tensors of `model.safetensors` into memory: each is read from
disk when it is first used, and in fp32 none is copied.
"""

import contextlib
import copy
import io
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from stable_audio_tools.models.factory import create_model_from_config
from torch import Tensor, nn

from eisbach.errors import UserError
from eisbach.models import config_check, hub
from eisbach.models.same import Same
from eisbach.models.t5gemma import T5Gemma
from eisbach.models.tensor_check import mismatches, shapes

PARAMETERS = {"medium": 2_305_495_793, "stability_small": 567_573_761}  # numbers in all tensors of a checkpoint


def load(
    source: str | Path,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    accept: Iterable[str] = (),
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """The checkpoint in a folder or on the hub (`hub.locate`), in eval mode, all parameters frozen.

    Returns stable-audio-tools' `ConditionedDiffusionModelWrapper` with a `Same` as `pretransform`, a `T5Gemma` as
    "prompt" conditioner, and `regime` (see below). The DiT has `dtype` and is on `device`, but takes and returns fp32
    tensors on the CPU. The text encoder and the autoencoder stay in fp32 and move to `device` at first use.

    Raises UserError when a file is missing or is not safetensors, when the weights' SHA-256 is not `sha256`, when the
    configuration differs from the known ones in settings other than `accept` (`config_check.check`), and when the
    tensors do not fit the configuration.
    """
    checkpoint = hub.locate(source, revision)
    config, weights = checkpoint.config(), checkpoint.file(hub.WEIGHTS)
    hub.verify_sha256(weights, sha256)
    name = config_check.check(config, accept, f"{hub.CONFIG} of {checkpoint}")
    model = build_empty(config, checkpoint, device)
    load_tensors(model, weights, dtype)
    model.regime = regime(model, name)
    model.model.to(device)
    model.model.register_forward_pre_hook(_move_inputs_to(device), with_kwargs=True)
    model.model.register_forward_hook(lambda module, args, output: output.to("cpu", torch.float32))
    return model.eval().requires_grad_(False)


def regime(model: nn.Module, name: str) -> str:
    """`name`, "medium" or "stability_small", if the model has its released number of parameters, otherwise "other"."""
    count = sum(tensor.numel() for tensor in model.state_dict().values())
    return name if count == PARAMETERS[name] else "other"


def build_empty(config: dict, checkpoint: hub.Source, device: torch.device | str = "cpu") -> nn.Module:
    """The model of a `model_config.json`, its tensors on the meta device. Raises UserError when it cannot be built.

    The text encoder is read from `checkpoint`, and runs on `device` like the autoencoder.
    """
    config = copy.deepcopy(config)
    conditioning = config["model"]["conditioning"]
    prompt = next(entry for entry in conditioning["configs"] if entry["id"] == "prompt")
    conditioning["configs"].remove(prompt)  # its constructor would fetch the encoder's weights
    try:
        with torch.device("meta"), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # about the library's weight normalisation
            model = create_model_from_config(config)
            encoder = T5Gemma(conditioning["cond_dim"], prompt["config"], checkpoint, device)
            model.conditioner.conditioners["prompt"] = encoder
    except (KeyError, TypeError, ValueError, AssertionError, NotImplementedError) as error:
        raise UserError(
            f"stable-audio-tools cannot build the model of {checkpoint} ({error}); take the pinned revision"
        ) from error
    model.pretransform = Same(model.pretransform, device)
    return model


def load_tensors(model: nn.Module, path: Path, dtype: torch.dtype) -> None:
    """Replace the meta tensors of `model` by those of `path`: the DiT's parameters in `dtype`, all others in fp32.

    Raises UserError when the file is not safetensors or a tensor is missing, unknown or of another shape; the shapes
    are compared in the file's header, before any tensor is read.
    """
    in_dtype = {f"model.{name}" for name, _ in model.model.named_parameters()}
    try:
        with safe_open(path, "pt") as file:
            found = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
            if wrong := mismatches(shapes(model.state_dict()), found):
                raise UserError(
                    f"{path} does not fit its configuration: {wrong[0]} ({len(wrong)} tensors); fetch it again"
                )
            state = {name: file.get_tensor(name).to(dtype if name in in_dtype else torch.float32) for name in found}
    except SafetensorError as error:
        raise UserError(
            f"{path} is not a safetensors file ({error}); fetch it again, no other format is opened"
        ) from error
    model.load_state_dict(state, assign=True)
    everything = [*model.named_parameters(), *model.named_buffers()]
    if empty := [name for name, tensor in everything if tensor.is_meta]:
        raise RuntimeError(f"{empty[0]} is not in the checkpoint and has no value ({len(empty)} tensors)")


def _move_inputs_to(device: torch.device | str) -> Callable:
    """A forward hook that moves all tensor arguments to `device`; the DiT itself casts them to its dtype."""

    def to_device(value: object) -> object:
        return value.to(device) if isinstance(value, Tensor) else value

    def hook(module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        return tuple(map(to_device, args)), {name: to_device(value) for name, value in kwargs.items()}

    return hook

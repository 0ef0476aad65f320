"""Released Stable Audio 3 checkpoints, with the attributes of the small model: one pipeline for both.

`load` builds the model without weights and takes them, memory-mapped, out of `model.safetensors`: a tensor is read
when it is first used, and in fp32 none is copied.
"""

import contextlib
import copy
import io
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from stable_audio_tools.models.factory import create_model_from_config
from torch import Tensor, nn

from eisbach.errors import UserError
from eisbach.models import config_check, hub
from eisbach.models.same import Same
from eisbach.models.t5gemma import T5Gemma

PARAMETERS = {"medium": 2_305_495_793, "stability_small": 567_573_761}  # of all tensors that a checkpoint holds


def load(
    source: str | Path,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    accept: Iterable[str] = (),
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """The checkpoint in a folder, or on the hub under a name, in eval mode, all parameters frozen.

    Returns stable-audio-tools' `ConditionedDiffusionModelWrapper` with a `Same` as its `pretransform`, a `T5Gemma` as
    its "prompt" conditioner, and `regime`: "medium", "stability_small", or "other" for other numbers of parameters.
    The DiT has `dtype` and lies on `device`; whoever calls it gives and receives fp32 on the CPU, as everywhere else.
    The text encoder and the autoencoder stay in fp32 and move to `device` when used.

    Raises UserError when a file is missing or no safetensors, when `sha256` is given and is not that of the weights,
    when the configuration differs from the known one beyond `accept` (`config_check.check`), and when the tensors do
    not fit the configuration.
    """
    home = hub.place(source, revision)
    config, weights = home.config(), home.file(hub.WEIGHTS)
    hub.verify(weights, sha256)
    name = config_check.check(config, accept, f"{hub.CONFIG} of {home}")
    model = skeleton(config, home, device)
    fill(model, weights, dtype)
    model.regime = (
        name if sum(tensor.numel() for tensor in model.state_dict().values()) == PARAMETERS[name] else "other"
    )
    model.model.to(device)
    model.model.register_forward_pre_hook(_to(device), with_kwargs=True)
    model.model.register_forward_hook(lambda module, args, output: output.to("cpu", torch.float32))
    return model.eval().requires_grad_(False)


def skeleton(config: dict, home: hub.Place, device: torch.device | str = "cpu") -> nn.Module:
    """The model of a `model_config.json` on the meta device. Raises UserError when it cannot be built."""
    config = copy.deepcopy(config)
    conditioning = config["model"]["conditioning"]
    prompt = next(entry for entry in conditioning["configs"] if entry["id"] == "prompt")
    conditioning["configs"].remove(prompt)  # its constructor would fetch the encoder's weights
    try:
        with torch.device("meta"), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of the way the library normalises weights
            model = create_model_from_config(config)
            model.conditioner.conditioners["prompt"] = T5Gemma(conditioning["cond_dim"], prompt["config"], home, device)
    except (KeyError, TypeError, ValueError, AssertionError, NotImplementedError) as error:
        raise UserError(
            f"stable-audio-tools cannot build the model of {home} ({error}); take the pinned revision"
        ) from error
    model.pretransform = Same(model.pretransform, device)
    return model


def fill(model: nn.Module, path: Path, dtype: torch.dtype) -> None:
    """Put the tensors of `path` in place of the meta tensors of `model`; the DiT's parameters become `dtype`.

    Raises UserError when the file is no safetensors or a tensor is missing, foreign or of another shape.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    narrow = {f"model.{name}" for name, _ in model.model.named_parameters()}
    try:
        with safe_open(path, "pt") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            if wrong := misfits(expected, found):
                raise UserError(
                    f"{path} does not fit its configuration: {wrong[0]} ({len(wrong)} tensors); fetch it again"
                )
            state = {name: file.get_tensor(name).to(dtype if name in narrow else torch.float32) for name in found}
    except SafetensorError as error:
        raise UserError(
            f"{path} is no safetensors file ({error}); fetch it again, no other format is opened"
        ) from error
    model.load_state_dict(state, assign=True)
    rest = [*model.named_parameters(), *model.named_buffers()]
    if empty := [name for name, tensor in rest if tensor.is_meta]:
        raise RuntimeError(f"{empty[0]} is not in the checkpoint and has no value ({len(empty)} tensors)")


def misfits(expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]]) -> list[str]:
    """A phrase for each tensor that is missing, foreign or of another shape."""
    missing = [f"'{name}' is missing" for name in sorted(expected.keys() - found.keys())]
    foreign = [f"'{name}' belongs to no part of it" for name in sorted(found.keys() - expected.keys())]
    return (
        missing
        + foreign
        + [
            f"'{name}' is {found[name]}, not {expected[name]}"
            for name in sorted(expected.keys() & found.keys())
            if expected[name] != found[name]
        ]
    )


def _to(device: torch.device | str):
    """A hook that moves tensors among the arguments of a call to `device`; the DiT casts them to its own dtype."""

    def moved(module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        place = [value.to(device) if isinstance(value, Tensor) else value for value in (*args, *kwargs.values())]
        return tuple(place[: len(args)]), dict(zip(kwargs, place[len(args) :], strict=True))

    return moved

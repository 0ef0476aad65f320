"""The state of a paired run, from which it resumes bit for bit.

The draws are functions of (seed, step), so the step determines the position in the data and the state of every
generator.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from eisbach.adapters.paired import PairedAdapters
from eisbach.data.latents import Latents
from eisbach.pipeline.params import Finetune
from eisbach.training import checkpoint
from eisbach.weighting import Weighting, plugins, traits_of


def config(
    dit: nn.Module,
    data: Latents,
    settings: Finetune,
    weightings: Mapping[str, Weighting],
    seed: int,
    validation: Latents | None = None,
    initial: Mapping[str, Tensor] | None = None,
) -> dict[str, object]:
    """Everything that the result of a run depends on, with the frozen base and the clips as fingerprints.

    `initial` are the tensors from which every arm starts, where `settings.init_from` names them.
    """
    chosen = asdict(settings) | {"seed": seed, "arms": list(weightings)}
    for key in ("arms_per_pass", "save_every", "preview_every", "preview_prompts", "export_every", "loggers"):
        del chosen[key]  # these change no result
    chosen["plugins"] = plugins.fingerprint(settings.plugins)
    for name, arm in settings.arms.items():
        if name in weightings:
            chosen[f"arms.{name}"] = asdict(arm)
    chosen["base"] = fingerprint(value for name, value in dit.state_dict().items() if ".lora_" not in name)
    chosen["data"] = fingerprint([data.latents, data.mask, data.states, data.token_mask])
    chosen["labels"] = fingerprint([data.labels])
    if settings.init_from and initial is not None:
        chosen["init_from"] = f"{settings.init_from} ({fingerprint(initial.values())})"
    if validation is not None:
        clips = [validation.latents, validation.mask, validation.states, validation.token_mask]
        chosen["validation"] = fingerprint(clips)
    return chosen


def fingerprint(tensors: Iterable[Tensor]) -> str:
    """16 hexadecimal digits of the SHA-256 of the bytes of `tensors`, in order."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


class Run:
    """A run's adapters, optimisers, weightings and past records, to be saved and restored together.

    `settings` is the result of `config`.
    """

    def __init__(
        self,
        adapters: PairedAdapters,
        weightings: Mapping[str, Weighting],
        optimizers: Mapping[str, torch.optim.Optimizer],
        settings: dict[str, object],
    ):
        self.adapters, self.weightings, self.optimizers, self.settings = adapters, weightings, optimizers, settings
        self.history: dict[str, list[Tensor]] = {}
        self.validations: dict[str, Tensor] = {}  # by "<step>.<arm>", for the steps that have one

    def add(self, records: list[dict]) -> None:
        """Append the records of one step, in the order of the arms."""
        for record in records:
            if "validation" in record:
                self.validations[f"{record['step']}.{record['arm']}"] = record["validation"]
            for key, value in record.items():
                if key not in ("step", "arm", "clip_id", "validation"):
                    self.history.setdefault(key, []).append(torch.as_tensor(value, dtype=_dtype(value)))

    def records(self, data: Latents, settings: Finetune, seed: int) -> Iterator[dict]:
        """Yield all past records again."""
        arms = list(self.weightings)
        for index in range(len(next(iter(self.history.values()), []))):
            step, arm = divmod(index, len(arms))
            names = data.batch(settings.batch * settings.accumulate, seed, step).clips["clip_id"].tolist()
            values = {key: column[index] for key, column in self.history.items()}
            validation = self.validations.get(f"{step}.{arms[arm]}")
            yield {
                "step": step,
                "arm": arms[arm],
                "clip_id": names,
                **{key: value if value.dim() else value.item() for key, value in values.items()},
                **({} if validation is None else {"validation": validation}),
            }

    def save(self, path: Path, step: int) -> None:
        """Write the state after `step` steps, completely or not at all."""
        tensors = {f"records.{key}": torch.stack(column) for key, column in self.history.items()}
        tensors |= {f"validations.{key}": losses for key, losses in self.validations.items()}
        for arm, weighting in self.weightings.items():
            tensors |= {f"adapters.{arm}.{name}": tensor for name, tensor in self.adapters.state(arm).items()}
            tensors |= checkpoint.optimizer_tensors(self.optimizers[arm], f"optimizers.{arm}.")
            if traits_of(weighting).has_state:
                tensors |= {f"weightings.{arm}.{name}": tensor for name, tensor in weighting.state_dict().items()}
        checkpoint.save(path, tensors, {"config": self.settings, "step": step, "columns": list(self.history)})

    def restore(self, path: Path) -> int:
        """Load what `save` wrote and return its step, or 0 when there is no file.

        Raises UserError, naming the settings that differ, when the file belongs to another run.
        """
        saved = checkpoint.load(path)
        if saved is None:
            return 0
        tensors, facts = saved
        checkpoint.same_config(facts, self.settings, path)
        for arm, weighting in self.weightings.items():
            self.adapters.load_state(arm, _under(tensors, f"adapters.{arm}."), path)
            checkpoint.restore_optimizer(self.optimizers[arm], tensors, f"optimizers.{arm}.")
            if traits_of(weighting).has_state:
                weighting.load_state_dict(_under(tensors, f"weightings.{arm}."))
        self.history = {key: list(tensors[f"records.{key}"].unbind()) for key in facts["columns"]}
        self.validations = _under(tensors, "validations.")
        return facts["step"]


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _dtype(value: Tensor | float) -> torch.dtype:
    return value.dtype if isinstance(value, Tensor) else torch.float64

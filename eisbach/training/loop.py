"""The paired training loop: all arms of one seed see the same clips, noise, t and conditioning dropout.

`finetune` is a generator of records; the caller owns logging and stopping. A run that is killed and started again with
the same arguments ends with the same bits.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from eisbach.adapters.paired import PairedAdapters
from eisbach.data.latents import Latents
from eisbach.errors import UserError
from eisbach.objective import objective, per_sample_loss
from eisbach.pipeline.arm_check import followed
from eisbach.pipeline.params import Finetune
from eisbach.pipeline.threads import thread_map
from eisbach.training import checkpoint, resume, validation
from eisbach.training.draws import Draw, draw
from eisbach.training.forward import velocities
from eisbach.training.schedule import learning_rate
from eisbach.weighting import Weighting, traits_of

INERT = 1e-6  # times the base's norm: an adapter with a smaller norm has not learned


def finetune(
    model: nn.Module,
    adapters: PairedAdapters,
    weightings: Mapping[str, Weighting],
    data: Latents,
    settings: Finetune,
    seed: int,
    path: Path | None = None,
    heldout: Latents | None = None,
    preview: Callable[[int], None] | None = None,
    export: Callable[[int], None] | None = None,
) -> Iterator[dict]:
    """Train the adapter of every arm in `weightings` in place; yield one record per (step, arm).

    A record has `step`, `arm`, `objective` (the scalar that is differentiated), `grad_norm` (of the adapter, before
    clipping), and for each sample `clip_id`, `t` and the telemetry of `eisbach.objective`, [B] each.

    Every `settings.validate_every` steps, and after the last, a record also has `validation`: the losses [10, N] of
    `eisbach.training.validation` on clips of `heldout`, which must then be given. Every `settings.preview_every` steps,
    and after the last, `preview` is called with the number of steps done; `export` likewise, every
    `settings.export_every` steps.

    A step has `settings.accumulate` passes, whose gradients are added: for weightings with the trait `per_sample` the
    step is that of one batch of `batch` times `accumulate` clips, up to rounding. A weighting counts passes, not steps.

    With `path`, the state is saved there every `settings.save_every` steps and at the end. A run that finds a state
    yields the records of the finished steps unchanged and continues. The caller removes the file.
    Raises UserError when the state belongs to other settings, data or base, and when a loss or a gradient is not
    finite: the message names arm, step and clips, and no optimiser has stepped on it.
    """
    leaders = followed(weightings, settings)
    optimizers = {arm: _optimizer(adapters, arm, weightings[arm], settings) for arm in weightings}
    watched = validation.clips(heldout, settings) if settings.validate_every else None
    initial = adapters.state(next(iter(weightings))) if settings.init_from else None
    config = resume.config(adapters.dit, data, settings, weightings, seed, watched, initial)
    run = resume.Run(adapters, weightings, optimizers, config)
    waves = passes(weightings, leaders, settings.arms_per_pass, _cores(adapters.dit))
    first = 0 if path is None else run.restore(path)
    yield from run.records(data, settings, seed)
    if first == 0:
        calibrate(model, adapters, weightings, leaders, data, settings, seed)
    for step in range(first, settings.steps):
        found: list[dict[str, dict]] = []
        for index, shared in enumerate(draw(data, settings, seed, step).split(settings.accumulate)):
            call = step * settings.accumulate + index
            gradients = partial(_gradients, model, adapters, weightings, leaders, shared, settings, step, call)
            found.append({})
            for wave in waves:
                for some in thread_map(gradients, wave, len(waves[0])):  # as many cores for every arm: equal rounding
                    found[-1] |= some
        records = {arm: _joined([one[arm] for one in found]) for arm in weightings}
        for arm, record in records.items():
            record["grad_norm"] = _checked_norm(adapters, arm, weightings[arm], settings.clip_norm, record)
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(settings, step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if checkpoint.due(settings.validate_every, step, settings.steps):
            look = partial(validation.losses, model, adapters, watched)
            losses = thread_map(look, weightings, len(waves[0]))
            for arm, own in zip(weightings, losses, strict=True):
                records[arm]["validation"] = own
        # Previews and exports come before the state is saved: a killed run misses none.
        if checkpoint.due(settings.preview_every, step, settings.steps):
            preview(step + 1)
        if checkpoint.due(settings.export_every, step, settings.steps):
            export(step + 1)
        run.add([records[arm] for arm in weightings])
        if path is not None and checkpoint.due(settings.save_every, step, settings.steps):
            run.save(path, step + 1)
        yield from (records[arm] for arm in weightings)
    _check_learned(adapters, weightings)


def passes(
    weightings: Mapping[str, Weighting], leaders: Mapping[str, str], size: int, cores: int
) -> list[list[tuple[str, ...]]]:
    """Groups of arms that share a pass over the base. Groups in a wave run in parallel.

    A group holds at most `size` arms (0: any number); there are enough groups to occupy `cores`. Arms that replay
    another arm's factors of the same step are in the second wave.
    """
    live = [arm for arm in leaders if traits_of(weightings[arm]).replays == "step"]
    waves = []
    for arms in ([arm for arm in weightings if arm not in live], live):
        count = max(min(cores, len(arms)), -(-len(arms) // (size or len(weightings))))
        waves.append([tuple(arms[place::count]) for place in range(count)])
    return waves


def _cores(dit: nn.Module) -> int:
    """The number of passes to run in parallel: one per core on a CPU, one on any other device."""
    return torch.get_num_threads() if next(dit.parameters()).device.type == "cpu" else 1


def calibrate(
    model: nn.Module,
    adapters: PairedAdapters,
    weightings: Mapping[str, Weighting],
    leaders: Mapping[str, str],
    data: Latents,
    settings: Finetune,
    seed: int,
) -> None:
    """Calibrate the arms that replay a whole run (`constant`, `timestep`) before training.

    They see the factors that the arm they follow gives the untrained base, at the draws of the seed's first
    `calibration_steps` steps.
    """
    frozen = {arm: leader for arm, leader in leaders.items() if traits_of(weightings[arm]).replays == "run"}
    if not frozen:
        return
    first = next(iter(weightings))  # untrained: the base's output, or that of the adapter all arms start from
    for step in range(min(settings.calibration_steps, settings.steps)):
        for index, shared in enumerate(draw(data, settings, seed, step).split(settings.accumulate)):
            call = step * settings.accumulate + index
            with torch.no_grad():
                (output,), target = velocities(model, adapters, shared, (first,))
                for arm, leader in frozen.items():
                    factor = weightings[leader](
                        *(output, target, shared.t, shared.mask),
                        clean=shared.clips.latents,
                        label=shared.clips.labels,
                        step=call,
                    )
                    weightings[arm].calibrate(factor, shared.t, call)


def _gradients(
    model: nn.Module,
    adapters: PairedAdapters,
    weightings: Mapping[str, Weighting],
    leaders: Mapping[str, str],
    shared: Draw,
    settings: Finetune,
    step: int,
    call: int,
    arms: tuple[str, ...],
) -> dict[str, dict]:
    """Run `arms` through the base in one pass, accumulate their gradients, and return a record of each.

    `call` counts the passes of the run, `step` those of the optimiser.
    """
    outputs, target = velocities(model, adapters, shared, arms, checkpointing=settings.checkpointing)
    names = shared.clips.clips["clip_id"].tolist()
    totals, records = [], {}
    for arm, own in zip(arms, outputs.unbind(0), strict=True):
        total, telemetry = objective(
            *(own, target, shared.t, shared.mask, weightings[arm]),
            clean=shared.clips.latents,
            label=shared.clips.labels,
            step=call,
        )
        if settings.context_loss:
            total = total + settings.context_loss * per_sample_loss(own, target, shared.valid & shared.kept).mean()
        records[arm] = {
            "step": step,
            "arm": arm,
            "clip_id": names,
            "objective": total.item(),
            "t": shared.t,
            **telemetry,
        }
        if not torch.isfinite(total):
            raise UserError(_refusal("loss", total.item(), records[arm]))
        totals.append(total)
        for follower, leader in leaders.items():
            if leader == arm and traits_of(weightings[follower]).replays == "step":
                weightings[follower].calibrate(telemetry["factor"], shared.t, call)
    (torch.stack(totals).sum() / settings.accumulate).backward()
    return records


def _joined(records: list[dict]) -> dict:
    """The record of a step from those of its passes: clips in order, the mean of the objectives."""
    if len(records) == 1:
        return records[0]
    joined = dict(records[0], clip_id=[name for record in records for name in record["clip_id"]])
    joined["objective"] = sum(record["objective"] for record in records) / len(records)
    for key, value in records[0].items():
        if isinstance(value, Tensor):
            joined[key] = torch.cat([record[key] for record in records])
    return joined


def _optimizer(adapters: PairedAdapters, arm: str, weighting: Weighting, settings: Finetune) -> torch.optim.AdamW:
    """AdamW over the adapter, and over the weighting's own parameters without weight decay."""
    groups = [{"params": list(adapters.parameters(arm).values()), "weight_decay": settings.weight_decay}]
    if own := _own_parameters(weighting):
        groups.append({"params": own, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)


def _own_parameters(weighting: Weighting) -> list[nn.Parameter]:
    return list(weighting.parameters()) if isinstance(weighting, nn.Module) else []


def _checked_norm(adapters: PairedAdapters, arm: str, weighting: Weighting, clip_norm: float, record: dict) -> float:
    """The norm of an adapter's gradient, which is scaled down to `clip_norm` where it is larger (0: never).

    Raises UserError when it, or the gradient of the weighting's own parameters, is not finite.
    """
    parameters = list(adapters.parameters(arm).values())
    norm = nn.utils.get_total_norm([parameter.grad for parameter in parameters])
    own = nn.utils.get_total_norm([parameter.grad for parameter in _own_parameters(weighting)])
    if not torch.isfinite(norm + own):
        raise UserError(_refusal("gradient", (norm + own).item(), record))
    if clip_norm:
        nn.utils.clip_grads_with_norm_(parameters, clip_norm, norm)
    return norm.item()


def _refusal(what: str, value: float, record: dict) -> str:
    per_sample = record["loss"] * record["factor"]
    broken = [name for name, loss in zip(record["clip_id"], per_sample, strict=True) if not torch.isfinite(loss)]
    return (
        f"the {what} of arm '{record['arm']}' at step {record['step']} is {value} "
        f"on clips {', '.join(broken or record['clip_id'])}; lower finetune.lr in params.yaml or remove the clips"
    )


def _check_learned(adapters: PairedAdapters, weightings: Mapping[str, Weighting]) -> None:
    """Warn of an adapter that has learned nothing. Raises UserError for one that diverged in the last step."""
    base = sum(layer.weight.square().sum().item() for layer in adapters.layers.values()) ** 0.5
    for arm in weightings:
        norm = adapters.delta_norm(arm)
        if not math.isfinite(norm):
            raise UserError(
                f"the adapter of arm '{arm}' is not finite after the last step; lower finetune.lr in params.yaml"
            )
        if norm <= INERT * base:
            warnings.warn(
                f"the adapter of arm '{arm}' has learned nothing: it changes the weights by a norm of {norm:.3g}, "
                f"and their own norm is {base:.3g}; an untrained base passes no gradient to an adapter",
                stacklevel=2,
            )

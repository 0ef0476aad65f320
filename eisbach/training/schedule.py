"""The learning rate of a step: `finetune.schedule` times a linear warm-up. A function of the step, so runs resume."""

import math

from eisbach.pipeline.params import Cosine, Finetune, InverseLR


def learning_rate(settings: Finetune, step: int) -> float:
    """The rate at `step`, counted from 0 in steps of the optimiser."""
    rate, schedule = settings.lr, settings.schedule
    if isinstance(schedule, Cosine):
        rate *= (1 + math.cos(math.pi * step / settings.steps)) / 2
    elif isinstance(schedule, InverseLR):
        decayed = rate * (1 + step / schedule.inv_gamma) ** -schedule.power
        rate = (1 - schedule.warmup ** (step + 1)) * max(schedule.final_lr, decayed)
    if step + 1 < settings.warmup_steps:
        rate *= (step + 1) / settings.warmup_steps
    return rate

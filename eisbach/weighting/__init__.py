"""The arms: per-sample factors on the loss, found by name.

    arm = make("barrier", lam=0.5)
    factor = arm(output, target, t, mask, belief=belief, clean=clean, label=label, step=step)    [B], float32 or better

- `protocol`: the signature of a weighting and the traits that it declares.
- `registry`: `weighting` registers a class, `make` builds an instance by name.
- `barrier_arms`: Eq. 5 and the arms that move, replace or differentiate its weights.
- `labelled`: arms that read the contrast label.
- `replaying`: arms that repeat the barrier's factors without looking at the samples.
- `peers`: published alternatives.

A weighting of your own:

    @weighting("mine")
    @dataclass(frozen=True)
    class Mine:
        power: float = 1.0
        def __call__(self, output, target, t, mask=None, **_): return t**self.power

`plugins` imports it into a run: a file or a module of `finetune.plugins`, or an entry point.
"""

# In the order in which the arms are registered:
# isort: off
from eisbach.weighting.barrier_arms import Attached, Barrier, BarrierArm, Baseline, Inverse, Oracle, Shuffled
from eisbach.weighting.barrier_arms import reverse_ranks
from eisbach.weighting.labelled import ByClass, ByClassReversed
from eisbach.weighting.replaying import Constant, Timestep, Trace
from eisbach.weighting.peers import Edm2, LogitNormal, MinSnr
from eisbach.weighting.protocol import Penalised, Replaying, Traits, Weighting, traits_of
from eisbach.weighting.registry import followers, make, names, of_run, settings_of, traits, weighting
from eisbach.weighting import plugins
# isort: on

__all__ = [
    "Attached",
    "Barrier",
    "BarrierArm",
    "Baseline",
    "ByClass",
    "ByClassReversed",
    "Constant",
    "Edm2",
    "Inverse",
    "LogitNormal",
    "MinSnr",
    "Oracle",
    "Penalised",
    "Replaying",
    "Shuffled",
    "Timestep",
    "Trace",
    "Traits",
    "Weighting",
    "followers",
    "make",
    "names",
    "of_run",
    "plugins",
    "reverse_ranks",
    "settings_of",
    "traits",
    "traits_of",
    "weighting",
]

"""What the barrier would do to an ideal model: the exact velocity's weights, by exact sampling. No training.

One seed is one independent draw of the whole grid, so that the spread over seeds is the Monte-Carlo error.
"""

from collections.abc import Sequence

import pandas as pd
import torch

from eisbach.params import Toys
from eisbach.seeds import torch_generator
from eisbach import flow
from eisbach.barrier import barrier_weight
from toy_models import outcomes, trajectories
from toy_models.arms import Arm
from toy_models.heldout import Heldout, Measured
from toy_models.mixture import CLASSES, Mixture
from toy_models.regimes import ANALYTIC, REGIMES

CHANNELS, POSITIONS = 64, 32  # of the closed-form regime: energies as smooth as real latents'
EXACT = Arm("baseline")  # the velocity that the plain loss leads to

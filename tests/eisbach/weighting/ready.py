"""Arms that are ready to be called."""

import torch

from eisbach.weighting import make, traits_of

BATCH = 6  # samples of the fixture `batch`
LABEL = torch.tensor([2, 0, 1, 1, 0, 2])  # contrast labels of the batch
LAM_ARMS = ("barrier", "attached", "shuffled", "inverse", "oracle")


def ready(name: str, batch, **settings):
    """The arm, calibrated on the barrier's factors of this batch if it needs them."""
    output, target, t, mask, _ = batch
    arm = make(name, **settings)
    if traits_of(arm).replays:
        arm.calibrate(make("barrier")(output, target, t, mask), t, 0)
    return arm

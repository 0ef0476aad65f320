"""Fixtures shared by all tests: a tiny model and archive of the shipped layout, built once a run.

Hypothesis draws the same examples in every run, so that a commit either passes or fails. To search further, run
pytest with `--hypothesis-profile=default`, which draws new ones.
"""

import json

import pandas as pd
import pytest
import torch
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

CHANNELS, LENGTH, TOKENS = 6, 12, 5


def tiny_config(small) -> dict:
    """The shipped configuration at widths that take milliseconds."""
    config = json.loads((small.BASE / "model_config.json").read_text())
    config["model"]["io_channels"] = CHANNELS
    config["model"]["pretransform"]["config"] |= {"channels": CHANNELS, "mels": 16}
    dit = config["model"]["diffusion"]["config"]
    dit |= {"io_channels": CHANNELS, "embed_dim": 64, "depth": 1, "num_heads": 1, "local_add_cond_dim": CHANNELS + 1}
    return config


def pytest_addoption(parser):
    parser.addoption(
        "--system",
        choices=["all", "analytic", "toys", "small", "medium"],
        default="all",
        help="the system that tests/predictions/test_systems.py runs its battery on",
    )


@pytest.fixture
def cores():
    """A function that sets the number of torch's threads, reset after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def tiny_model():
    """A frozen model with the shipped architecture and random weights, none of them zero."""
    from eisbach.models import small

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = small.build(tiny_config(small))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def tiny_archive():
    """24 clips of smooth noise in three splits, with classes and captions."""
    from eisbach.data.latents import Latents

    count, generator = 24, torch.Generator().manual_seed(1)
    clips = pd.DataFrame(
        {
            "clip_id": [f"clip-{index}" for index in range(count)],
            "split": ["base", "finetune", "heldout"] * 8,
            "caption": [f"caption {index}" for index in range(count)],
            "seconds": 10.0,
            "contrast": torch.rand(count, generator=generator).tolist(),
            "contrast_class": ["flat", "middle", "contrast"] * 8,
            "contrast_source": "arrangement",
        }
    )
    return Latents(
        clips,
        torch.randn(count, CHANNELS, LENGTH, generator=generator).cumsum(-1) / LENGTH**0.5,
        torch.ones(count, LENGTH, dtype=torch.bool),
        torch.randn(count, TOKENS, 384, generator=generator).half(),
        torch.rand(count, TOKENS, generator=generator) > 0.3,
        torch.nn.functional.normalize(torch.randn(count, 384, generator=generator), dim=-1),
    )


@pytest.fixture(scope="session")
def released_folder(tmp_path_factory):
    """A checkpoint in the released layout at small widths; tests that change it copy it first."""
    from tests import checkpoints

    return checkpoints.write(tmp_path_factory.mktemp("released") / "base")


@pytest.fixture
def released_model(released_folder):
    from eisbach.models import released
    from tests import checkpoints

    return released.load(released_folder, accept=checkpoints.NARROWED)

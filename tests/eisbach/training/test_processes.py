import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from eisbach.errors import UserError
from eisbach.pipeline.params import Arm
from eisbach.training.loop import followed
from eisbach.training.processes import share
from eisbach.weighting import make
from tests.settings import PARAMS, text

NAMES = ("trace", "baseline", "barrier", "constant", "shuffled", "inverse", "timestep", "oracle")
WEIGHTINGS = {name: make(name) for name in NAMES}
LEADERS = followed(WEIGHTINGS, replace(PARAMS.finetune, arms={name: Arm(name) for name in NAMES}))


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_every_arm_has_one_process_and_every_process_an_arm(count):
    shares = [share(WEIGHTINGS, LEADERS, index, count) for index in range(count)]
    assert sorted(arm for arms in shares for arm in arms) == sorted(NAMES)
    assert all(shares)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_followers_are_in_the_process_of_their_leader(count):
    shares = [share(WEIGHTINGS, LEADERS, index, count) for index in range(count)]
    assert LEADERS
    for follower, leader in LEADERS.items():
        assert any({follower, leader} <= set(arms) for arms in shares)


def test_two_processes_have_equally_many_arms():
    assert [len(share(WEIGHTINGS, LEADERS, index, 2)) for index in range(2)] == [4, 4]


def test_more_processes_than_arms_are_refused_with_their_number():
    with pytest.raises(UserError, match=r"6 processes cannot share 5 arms .* --num_processes 5"):
        share(WEIGHTINGS, LEADERS, 0, 6)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_over_gloo_write_the_same_bytes_as_one(tmp_path, tiny_model, tiny_archive):
    """Adapters and tables to the last bit, validation included, with arms that follow in the same step."""
    from eisbach.data import latents
    from eisbach.models import small
    from tests.conftest import tiny_config

    root = Path(__file__).parents[3]
    arms = {name: {"weighting": name, "settings": {}} for name in NAMES}
    settings = {"arms": arms, "steps": 3, "rank": 4, "alpha": 4.0, "batch": 3, "lr": 1e-2}
    settings |= {"calibration_steps": 2, "validate_every": 2, "validation_clips": 2, "loggers": ["tensorboard"]}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    found, logs = {}, {}
    for name, command in (("one", [sys.executable, "-m"]), ("two", launch)):
        folder = tmp_path / name
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "model_config.json").write_text(json.dumps(tiny_config(small)))
        small.save(tiny_model, folder / "model" / "model.safetensors", torch.float32)
        latents.save(folder / "artifacts" / "encode" / "archive.safetensors", tiny_archive)
        (folder / "params.yaml").write_text(text(model={"source": "model"}, finetune=settings))
        environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*command, "eisbach.pipeline.stages.finetune", "5"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        made = folder / "artifacts" / "finetune" / "5"
        found[name] = {path.relative_to(made): path.read_bytes() for path in made.rglob("*.*")}
        assert not list((folder / ".cache").glob("finetune-*"))
        logs[name] = sorted(path.name for path in (folder / ".cache").glob("logs-*"))
    assert logs == {"one": ["logs-5"], "two": ["logs-5-1of2", "logs-5-2of2"]}
    assert len(found["one"]) == 2 * len(NAMES) + 2
    assert found["one"] == found["two"]

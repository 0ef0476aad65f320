import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from eisbach import runner
from eisbach.errors import UserError
from tests.settings import text

ROOT = Path(__file__).parents[2]
SEEDS = (3, 4)


@pytest.fixture
def project(tmp_path, tiny_model, tiny_archive):
    """A folder in which the stage `finetune` runs on the tiny model, saving its state at every step."""
    from eisbach.data import latents
    from eisbach.models import small
    from tests.conftest import tiny_config

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_config.json").write_text(json.dumps(tiny_config(small)))
    small.save(tiny_model, tmp_path / "model" / "model.safetensors", torch.float32)
    latents.save(tmp_path / "artifacts" / "encode" / "archive.safetensors", tiny_archive)
    arms = {name: {"weighting": name, "settings": {}} for name in ("baseline", "barrier", "trace")}
    settings = {"arms": arms, "steps": 60, "rank": 2, "alpha": 2.0, "batch": 3, "lr": 1e-2, "save_every": 1}
    (tmp_path / "artifacts" / "registration.json").write_text("{}")
    (tmp_path / "params.yaml").write_text(text(model={"source": "model"}, finetune=settings, seeds=list(SEEDS)))
    return tmp_path


def made(project):
    folder = project / "artifacts" / "finetune"
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


def test_nothing_is_trained_before_the_registry_is_sealed(project, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "argv", ["runner"])
    (project / "artifacts" / "registration.json").unlink()
    with pytest.raises(UserError, match=r"registration\.json is missing; run `dvc repro register` first"):
        runner.main()
    assert not (project / "artifacts" / "finetune").exists()


def test_seeds_train_one_after_another_in_the_project_folder(project, monkeypatch):
    from eisbach.pipeline.stages import finetune

    trained = []
    monkeypatch.chdir(project)
    monkeypatch.setattr(finetune, "main", lambda seed: trained.append((seed, Path.cwd())))
    monkeypatch.setattr(sys, "argv", ["runner"])
    runner.main()
    assert trained == [(seed, project) for seed in SEEDS]


def test_without_ray_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match="pip install ray"):
        runner.spread([0], 1, 0, None)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_node_that_dies_during_training_changes_no_bit(project, monkeypatch):
    """Two nodes train one seed each. One is killed during training, and the other finishes both seeds."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    subprocess.run([sys.executable, "-m", "eisbach.runner"], cwd=project, check=True)
    serial = made(project)
    shutil.rmtree(project / "artifacts" / "finetune")

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in SEEDS]
        cluster.wait_for_nodes()
        command = [sys.executable, "-m", "eisbach.runner", "--runner", "ray", "--address", cluster.address]
        running = subprocess.Popen(command, cwd=project, env={**os.environ})
        states = [project / ".cache" / f"finetune-{seed}.safetensors" for seed in SEEDS]
        while not all(state.exists() for state in states):  # both nodes are at work
            assert running.poll() is None
            time.sleep(0.05)
        cluster.remove_node(nodes[0], allow_graceful=False)
        unfinished = [state for state in states if state.exists()]
        assert running.wait() == 0
    finally:
        cluster.shutdown()
    assert unfinished
    assert made(project) == serial
    assert len(serial) == 2 * (3 * 2 + 1)

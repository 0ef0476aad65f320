"""A run that is killed at any time and started again ends with the same bits."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from eisbach.adapters.paired import PairedAdapters
from eisbach.errors import UserError
from eisbach.pipeline.params import Arm
from eisbach.training import resume
from eisbach.training.loop import finetune
from eisbach.weighting import make
from tests.settings import PARAMS

ARMS = {name: Arm(name) for name in ("baseline", "barrier", "trace", "timestep", "edm2")}
SETTINGS = replace(
    PARAMS.finetune,
    arms=ARMS,
    rank=2,
    alpha=2.0,
    batch=3,
    steps=6,
    lr=1e-2,
    calibration_steps=2,
    save_every=2,
    validate_every=3,
    validation_clips=2,
)


def run(model, archive, path, stop=None, settings=SETTINGS, seed=0):
    """Adapter states and records of a run that stops after the records of step `stop`, as a killed run does."""
    weightings = {name: make(arm.weighting) for name, arm in settings.arms.items()}
    if not hasattr(model, "adapters"):
        model.adapters = PairedAdapters(model.model.model, weightings, "dora", settings.rank, settings.alpha, seed)
    model.adapters.reset(seed)
    records = []
    for record in finetune(model, model.adapters, weightings, archive, settings, seed, path, archive):
        records.append(record)
        if record["step"] == stop:
            break
    return {arm: model.adapters.state(arm) for arm in weightings}, records


def same(a, b):
    return all(torch.equal(a[arm][name], b[arm][name]) for arm in b for name in b[arm])


def same_records(a, b):
    def plain(record):  # in order, because a table takes its column order from the first record
        return [(key, value.tolist() if isinstance(value, torch.Tensor) else value) for key, value in record.items()]

    return [plain(record) for record in a] == [plain(record) for record in b]


@pytest.mark.parametrize("stop", [0, 1, 2, 4, 5])
def test_a_run_stopped_at_any_step_resumes_bit_for_bit(tmp_path, tiny_model, tiny_archive, stop):
    whole, history = run(tiny_model, tiny_archive, None)
    run(tiny_model, tiny_archive, tmp_path / "state", stop=stop)
    resumed, again = run(tiny_model, tiny_archive, tmp_path / "state")
    assert same(resumed, whole)
    assert same_records(again, history)


def test_other_settings_data_base_or_seed_are_refused_by_key(tmp_path, tiny_model, tiny_archive):
    path = tmp_path / "state"
    run(tiny_model, tiny_archive, path, stop=2)
    cases = {
        "lr: 0.01 -> 0.02": {"settings": replace(SETTINGS, lr=0.02)},
        "arms.barrier": {"settings": replace(SETTINGS, arms={**ARMS, "barrier": Arm("barrier", {"lam": 0.7})})},
        "seed: 0 -> 1": {"seed": 1},
        "data:": {"archive": replace(tiny_archive, latents=tiny_archive.latents + 1)},
        "labels: ": {"archive": replace(tiny_archive, clips=tiny_archive.clips.assign(contrast_class="flat"))},
        "validation: ": {"archive": replace(tiny_archive, latents=tiny_archive.latents + 1)},
        "validate_every: 3 -> 2": {"settings": replace(SETTINGS, validate_every=2)},
    }
    for message, changed in cases.items():
        with pytest.raises(UserError, match=message):
            run(tiny_model, **{"archive": tiny_archive, "path": path, **changed})
    tiny_model.model.model.preprocess_conv.base_layer.weight += 1
    with pytest.raises(UserError, match="base:"):
        run(tiny_model, tiny_archive, path)


def test_a_plugin_that_has_changed_is_refused(tmp_path, tiny_model, tiny_archive):
    plugin = tmp_path / "mine.py"
    settings = replace(SETTINGS, plugins=[str(plugin)])
    plugin.write_text("VALUE = 1\n")
    run(tiny_model, tiny_archive, tmp_path / "state", stop=2, settings=settings)
    plugin.write_text("VALUE = 2\n")
    with pytest.raises(UserError, match="plugins: "):
        run(tiny_model, tiny_archive, tmp_path / "state", settings=settings)


def test_settings_that_change_no_result_may_differ(tmp_path, tiny_model, tiny_archive):
    whole, _ = run(tiny_model, tiny_archive, None)
    run(tiny_model, tiny_archive, tmp_path / "state", stop=3)
    settings = replace(SETTINGS, arms_per_pass=2, save_every=5, preview_prompts=1)
    assert same(run(tiny_model, tiny_archive, tmp_path / "state", settings=settings)[0], whole)


def test_a_fingerprint_depends_on_every_bit():
    tensor = torch.zeros(5)
    before = resume.fingerprint([tensor])
    tensor[3] = -0.0
    assert resume.fingerprint([tensor]) != before


SCRIPT = """
import os, signal, sys, time
from pathlib import Path
import torch
from eisbach.data import latents
from eisbach.models import small
from tests.eisbach.training.test_resume import SETTINGS, run
from safetensors.torch import save_file
torch.set_num_threads(1)
model, archive, folder = small.load(sys.argv[1]), latents.load(sys.argv[2]), Path(sys.argv[3])

def begin(path):
    child = os.fork()
    if child == 0:
        states, _ = run(model, archive, path)
        save_file({f"{a}.{n}": t for a, s in states.items() for n, t in s.items()}, f"{path}.final")
        os._exit(0)
    return child

whole = begin(folder / "whole")
os.waitpid(whole, 0)
kills = 0
for delay in [0.05 * number for number in range(1, 40)]:
    child = begin(folder / "killed")
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        break
    kills += 1
else:
    os.waitpid(begin(folder / "killed"), 0)
print(kills)
"""


def test_sigkill_at_any_moment_changes_no_bit(tmp_path, tiny_model, tiny_archive):
    """A process is killed repeatedly, a little later each time, until one finishes."""
    import json

    from eisbach.data import latents
    from eisbach.models import small
    from tests.conftest import tiny_config

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_config.json").write_text(json.dumps(tiny_config(small)))
    small.save(tiny_model, tmp_path / "model" / "model.safetensors", torch.float32)
    latents.save(tmp_path / "archive", tiny_archive)
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "model", tmp_path / "archive", tmp_path],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout.split()[-1]) >= 3
    whole, killed = load_file(tmp_path / "whole.final"), load_file(tmp_path / "killed.final")
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[name], killed[name]) for name in whole)

from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
import torch

from eisbach.adapters.paired import PairedAdapters
from eisbach.training import previews
from tests.settings import PARAMS

SETTINGS = replace(PARAMS.finetune, preview_prompts=1)
SAMPLING = replace(PARAMS.generate, steps=2)


@pytest.fixture
def adapters(tiny_model):
    return PairedAdapters(tiny_model.model.model, ["a", "b"], "dora", 2, 2.0)


def written(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def test_every_arm_and_prompt_is_heard_and_nothing_else_is_left(tmp_path, tiny_model, tiny_archive, adapters):
    previews.write(tiny_model, adapters, tiny_archive.split("heldout"), SETTINGS, SAMPLING, tmp_path, 20)
    assert set(written(tmp_path)) == {"a/000020-00.flac", "b/000020-00.flac"}
    audio, rate = soundfile.read(tmp_path / "a/000020-00.flac")
    assert rate == 44100
    assert len(audio) == tiny_archive.latents.shape[-1] * 4096


def test_noise_and_prompts_stay_while_the_adapter_moves(tmp_path, tiny_model, tiny_archive, adapters):
    codec, generator = tiny_model.pretransform, torch.Generator().manual_seed(0)
    codec.basis.copy_(torch.linalg.qr(torch.randn(codec.basis.T.shape, generator=generator))[0].T)
    codec.griffin_lim_steps = 1
    heldout = tiny_archive.split("heldout")
    before = {name: value.clone() for name, value in tiny_model.state_dict().items()}
    previews.write(tiny_model, adapters, heldout, SETTINGS, SAMPLING, tmp_path / "first", 1)
    previews.write(tiny_model, adapters, heldout, SETTINGS, SAMPLING, tmp_path / "again", 1)
    assert written(tmp_path / "first") == written(tmp_path / "again")
    assert all(torch.equal(value, before[name]) for name, value in tiny_model.state_dict().items())
    files = written(tmp_path / "first")
    assert files["a/000001-00.flac"] == files["b/000001-00.flac"]  # both untrained
    with torch.no_grad():
        for parameter in adapters.parameters("b").values():
            parameter.add_(0.1)
    previews.write(tiny_model, adapters, heldout, SETTINGS, SAMPLING, tmp_path / "moved", 1)
    moved = written(tmp_path / "moved")
    assert moved["a/000001-00.flac"] == files["a/000001-00.flac"]
    assert moved["b/000001-00.flac"] != files["b/000001-00.flac"]

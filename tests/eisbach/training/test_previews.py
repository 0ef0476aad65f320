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


def test_every_arm_and_prompt_has_one_file_of_the_clip_s_length(tmp_path, tiny_model, tiny_archive, adapters):
    previews.write(tiny_model, adapters, tiny_archive.split("heldout"), SETTINGS, SAMPLING, tmp_path, 20)
    assert set(written(tmp_path)) == {"a/000020-00.flac", "b/000020-00.flac"}
    audio, rate = soundfile.read(tmp_path / "a/000020-00.flac")
    assert rate == 44100
    assert len(audio) == tiny_archive.latents.shape[-1] * 4096


@pytest.fixture
def preview(tiny_model, tiny_archive, adapters, tmp_path):
    """A function that writes previews with a codec whose sound depends on the latents, and returns the files."""
    codec, generator = tiny_model.pretransform, torch.Generator().manual_seed(0)
    codec.basis.copy_(torch.linalg.qr(torch.randn(codec.basis.T.shape, generator=generator))[0].T)
    codec.griffin_lim_steps = 1

    def files(name: str) -> dict[str, bytes]:
        folder = tmp_path / name
        previews.write(tiny_model, adapters, tiny_archive.split("heldout"), SETTINGS, SAMPLING, folder, 1)
        return written(folder)

    return files


def test_the_same_adapters_give_the_same_bytes(preview):
    assert preview("first") == preview("again")


def test_previews_leave_the_model_unchanged(preview, tiny_model):
    before = {name: value.clone() for name, value in tiny_model.state_dict().items()}
    preview("first")
    assert all(torch.equal(value, before[name]) for name, value in tiny_model.state_dict().items())


def test_untrained_arms_sound_the_same(preview):
    files = preview("first")
    assert files["a/000001-00.flac"] == files["b/000001-00.flac"]


def test_an_adapter_changes_the_sound_of_its_own_arm_only(preview, adapters):
    before = preview("first")
    with torch.no_grad():
        for parameter in adapters.parameters("b").values():
            parameter.add_(0.1)
    after = preview("changed")
    assert {name for name in before if after[name] != before[name]} == {"b/000001-00.flac"}

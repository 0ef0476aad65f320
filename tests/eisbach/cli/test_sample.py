"""`eisbach sample` on the shipped architecture at tiny widths."""

import json

import pytest
import soundfile
import torch

from eisbach.adapters.paired import PairedAdapters
from eisbach.adapters.sa3_format import export_adapter
from eisbach.cli import main
from eisbach.models import small
from tests.conftest import tiny_config


@pytest.fixture
def workplace(tiny_model, tmp_path, monkeypatch):
    """A folder with the model `base`, and an adapter as PEFT's folder `mine` and Stable Audio 3's file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    codec, generator = tiny_model.pretransform, torch.Generator().manual_seed(0)
    codec.basis.copy_(0.3 * torch.randn(codec.basis.shape, generator=generator))
    codec.mean.fill_(-6.0)  # quiet enough for no sample to clip
    (tmp_path / "base" / "model_config.json").write_text(json.dumps(tiny_config(small)))
    small.save(tiny_model, tmp_path / "base" / "model.safetensors", torch.float32)
    adapters = PairedAdapters(tiny_model.model.model, ["mine"], "dora", 2, 4.0)
    with torch.no_grad():
        for parameter in adapters.parameters("mine").values():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    adapters.save("mine", "mine")
    export_adapter("mine", "mine.safetensors")
    return tmp_path


def sampled(workplace, out, *options):
    main(["sample", "a slow piano", "--model", "base", "--seconds", "1", "--steps", "3", "--out", out, *options])
    return (workplace / out / "00.flac").read_bytes()


def test_it_writes_a_flac_of_the_asked_length_and_says_where(workplace, capsys):
    first = sampled(workplace, "a")
    assert capsys.readouterr().out == "a/00.flac\n"
    audio, rate = soundfile.read("a/00.flac")
    assert (audio.shape, rate) == ((44100, 2), 44100)
    assert sampled(workplace, "again") == first
    assert sampled(workplace, "other", "--seed", "1") != first
    assert sampled(workplace, "against", "--negative", "drums") != first


def test_strength_zero_is_the_base_and_file_and_folder_are_one_adapter(workplace):
    base = sampled(workplace, "base-only")
    adapted = sampled(workplace, "file", "--adapter", "mine.safetensors")
    assert adapted != base
    assert sampled(workplace, "folder", "--adapter", "mine", "--strength", "1") == adapted
    assert sampled(workplace, "zero", "--adapter", "mine", "--strength", "0") == base
    assert sampled(workplace, "half", "--adapter", "mine", "--strength", "0.5") not in (base, adapted)
    assert sampled(workplace, "twice", "--adapter", "mine", "--adapter", "mine") not in (base, adapted)
    both = ("--adapter", "mine", "--adapter", "mine.safetensors", "--strength", "1", "--strength", "0")
    assert sampled(workplace, "one-off", *both) == adapted


def test_an_adapter_acts_only_in_its_interval_of_t(workplace):
    base, adapted = sampled(workplace, "base-only"), sampled(workplace, "all", "--adapter", "mine")
    part = sampled(workplace, "part", "--adapter", "mine", "--interval", "0.9", "1")
    assert part not in (base, adapted)
    assert sampled(workplace, "none", "--adapter", "mine", "--interval", "0", "0") == base
    assert sampled(workplace, "whole", "--adapter", "mine", "--interval", "0", "1") == adapted


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--strength", "1"], "1 strengths for 0 adapters"),
        (["--interval", "0.5", "0.2"], "0 <= start <= end <= 1"),
        (["--seconds", "0"], "give a positive length"),
        (["--headroom", "-1"], "give 0 or more seconds"),
        (["--steps", "0"], "give at least 1"),
        (["--adapter", "nowhere.safetensors"], "nowhere.safetensors is missing"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_sentence(options, said):
    with pytest.raises(SystemExit, match=said):
        main(["sample", "a prompt", *options])


def test_a_length_that_the_model_does_not_know_is_refused(workplace):
    with pytest.raises(SystemExit, match="the model knows at most"):
        main(["sample", "a slow piano", "--model", "base", "--seconds", "100000"])


@pytest.mark.parametrize("option", ["--seconds", "--cfg", "--apg", "--headroom", "--strength"])
@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "much"])
def test_a_number_is_finite(option, text, capsys):
    with pytest.raises(SystemExit):
        main(["sample", "a slow piano", f"{option}={text}"])
    assert f"'{text}' is not a finite number" in capsys.readouterr().err

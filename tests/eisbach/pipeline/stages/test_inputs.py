"""A stage without an input names the command that makes it, and one adapter that cannot be used harms no other."""

import importlib
import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from eisbach.adapters import peft_format, sa3_format
from eisbach.adapters.paired import PairedAdapters
from eisbach.data import latents
from eisbach.errors import UserError
from eisbach.models import small
from eisbach.pipeline import paths
from eisbach.pipeline.arm_check import BASE
from tests.conftest import tiny_config
from tests.settings import ROOT, text

PLAN = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
SMALL = {"seeds": [0], "model": {"source": "base"}, "generate": {"prompts": 2, "noises": 2, "steps": 2}}
ARMS = {"baseline": {"weighting": "baseline"}, "barrier": {"weighting": "barrier", "settings": {"lam": 0.5}}}
FINETUNE = {"arms": ARMS, "rank": 2, "steps": 2, "batch": 2}
EVALUATE = {"clips": 6, "embedders": []}


def stage(name, *seed):
    importlib.import_module(f"eisbach.pipeline.stages.{name}").main(*seed)


def choose(**finetune):
    """Write params.yaml with these settings of `finetune`."""
    content = text(**SMALL, finetune=FINETUNE | finetune, evaluate=EVALUATE)
    (paths.ARTIFACTS.parent / "params.yaml").write_text(content)


@pytest.fixture
def project(tmp_path, monkeypatch, tiny_model, tiny_archive):
    """A project folder with a tiny base that has a fitted codec, its archive, and no other artefact."""
    monkeypatch.chdir(tmp_path)
    choose()
    (tmp_path / "adapters").mkdir()
    (tmp_path / "base").mkdir()
    codec, generator = tiny_model.pretransform, torch.Generator().manual_seed(0)
    codec.fit([torch.randn(1, codec.mels, 48, generator=generator).cumsum(-1) * 0.3 - 4 for _ in range(8)])
    (tmp_path / "base" / "model_config.json").write_text(json.dumps(tiny_config(small)))
    small.save(tiny_model, tmp_path / "base" / "model.safetensors", torch.float32)
    kinds = ["contrast" if value > 0.5 else "flat" for value in tiny_archive.clips["contrast"]]
    latents.save(paths.ARCHIVE, replace(tiny_archive, clips=tiny_archive.clips.assign(contrast_class=kinds)))
    return tmp_path


@pytest.fixture
def trained(project):
    """The project after `finetune@0` and `reference`."""
    stage("finetune", 0)
    stage("reference")
    return project


def import_adapter(name: str, value: float) -> None:
    """An adapter for the tiny base, in Stable Audio 3's format, with all entries of every B at `value`."""
    adapters = PairedAdapters(small.load("base").model.model, ["theirs"], "lora", 2, 2.0)
    with torch.no_grad():
        for key, tensor in adapters.parameters("theirs").items():
            if "lora_B" in key:
                tensor.fill_(value)
    stored = peft_format.Adapter("lora", 2, 2.0, adapters.state("theirs"))
    sa3_format.write(f"adapters/{name}.safetensors", stored)


@pytest.mark.parametrize(
    "name",
    [name for name in PLAN if "predictions" not in PLAN[name]["cmd"] and name not in ("sources", "prepare", "toys")],
)
def test_a_stage_in_an_empty_project_names_a_stage_that_makes_its_input(project, name):
    shutil.rmtree("artifacts")
    seed = [0] if "matrix" in PLAN[name] else []
    with pytest.raises(UserError, match=r"is missing; run `dvc repro (\w+)(@\d+)?` first$") as caught:
        stage(name, *seed)
    path, maker = str(caught.value).split()[0], str(caught.value).split("dvc repro ")[1].split("`")[0].split("@")[0]
    outs = [str(one if isinstance(one, str) else next(iter(one))) for one in PLAN[maker]["outs"]]
    assert any(path.startswith(out.replace("${item.seed}", "0")) for out in outs)


def test_each_missing_input_names_its_own_command(project):
    def needs(name, command, *seed):
        with pytest.raises(UserError, match=f"is missing; run `dvc repro {command}` first"):
            stage(name, *seed)

    needs("generate", "finetune@0", 0)
    stage("finetune", 0)
    needs("evaluate", "generate@0", 0)
    stage("generate", 0)
    needs("evaluate", "reference", 0)
    needs("between_seeds", "evaluate@0")
    stage("reference")
    stage("evaluate", 0)
    stage("between_seeds")


@pytest.mark.parametrize(
    ("path", "name", "seed"),
    [
        (paths.ARCHIVE, "finetune", [0]),
        (paths.SAMPLES / "0" / "samples.safetensors", "evaluate", [0]),
        (paths.REFERENCE, "evaluate", [0]),
        (paths.EVALUATION / "0" / "outcomes.parquet", "between_seeds", []),
        (paths.EVALUATION / "0" / "features.safetensors", "between_seeds", []),
    ],
)
def test_a_damaged_input_names_the_command_that_makes_it_anew(trained, path, name, seed):
    stage("generate", 0)
    choose()
    if name == "between_seeds":
        stage("evaluate", 0)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    (maker,) = paths.made_by(path)
    if path.name == "features.safetensors":
        (trained / "params.yaml").write_text(text(**SMALL | {"seeds": [0, 1]}, finetune=FINETUNE, evaluate=EVALUATE))
    with pytest.raises(UserError, match=f"{path} is damaged .*delete it and run `dvc repro --force {maker}`"):
        stage(name, *seed)


def test_the_maker_of_every_output_is_its_stage():
    for name, plan in PLAN.items():
        outs = [*plan.get("outs", []), *plan.get("metrics", [])]
        for out in (str(one if isinstance(one, str) else next(iter(one))) for one in outs):
            path = out.replace("${item.seed}", "3")
            if path in ("report", "results/plots", "results/counterexamples"):  # no stage reads one
                continue
            assert paths.made_by(path) == [f"{name}@3" if "item" in out else name]


def test_an_imported_adapter_that_is_not_finite_is_refused_by_name_before_any_work(trained):
    import_adapter("good", 0.01)
    import_adapter("zbad", float("nan"))
    for name in ("generate", "evaluate"):
        if name == "evaluate":
            (trained / "adapters" / "zbad.safetensors").rename("zbad")
            stage("generate", 0)
            (trained / "zbad").rename("adapters/zbad.safetensors")
        with pytest.raises(UserError, match=r"^'.*lora_B.*' in adapters/zbad\.safetensors has NaN or infinite values"):
            stage(name, 0)
    assert not (paths.EVALUATION / "0").exists()


def test_a_trained_adapter_that_is_not_finite_is_refused_by_name(trained):
    path = paths.ADAPTERS / "0" / "barrier" / "adapter_model.safetensors"
    save_file({name: torch.full_like(one, float("inf")) for name, one in load_file(path).items()}, path)
    with pytest.raises(UserError, match=r"finetune/0/barrier/adapter_model\.safetensors has NaN or infinite values"):
        stage("generate", 0)


def test_an_imported_adapter_whose_samples_diverge_takes_no_other_arm_with_it(trained, capsys):
    import_adapter("good", 0.01)
    stage("generate", 0)
    before = load_file(paths.SAMPLES / "0" / "samples.safetensors")
    import_adapter("wild", 1e30)
    stage("generate", 0)
    assert "arm 'wild', seed 0: its samples are not finite" in capsys.readouterr().err
    after = load_file(paths.SAMPLES / "0" / "samples.safetensors")
    assert all(torch.equal(after[arm], before[arm]) for arm in (*ARMS, BASE, "good"))
    assert set(pd.read_parquet(paths.SAMPLES / "0" / "samples.parquet")["arm"]) == {*ARMS, BASE, "good"}
    assert not list((paths.SAMPLES / "0").glob("wild*"))

    stage("evaluate", 0)
    assert "arm 'wild', seed 0: the held-out loss is not finite" in capsys.readouterr().err
    outcomes = pd.read_parquet(paths.EVALUATION / "0" / "outcomes.parquet")
    assert set(outcomes["arm"]) == {*ARMS, BASE, "good"}


def test_samples_of_another_number_of_prompts_name_the_command(trained):
    stage("generate", 0)
    content = text(**SMALL | {"generate": SMALL["generate"] | {"prompts": 3}}, finetune=FINETUNE, evaluate=EVALUATE)
    (trained / "params.yaml").write_text(content)
    with pytest.raises(UserError, match=r"no samples of arm 'baseline' for these prompts; run `dvc repro generate@0`"):
        stage("evaluate", 0)


def test_saving_never_trains_the_same_adapters(project):
    found = []
    for save_every in (0, 1):
        choose(save_every=save_every)
        stage("finetune", 0)
        found.append(load_file(paths.ADAPTERS / "0" / "barrier" / "adapter_model.safetensors"))
    assert all(torch.equal(found[0][name], one) for name, one in found[1].items())


@st.composite
def in_range(draw) -> dict:
    """Settings within their ranges, at small sizes and with the extremes that are cheap."""
    shares = draw(st.sampled_from([[0, 1, 0], [1, 0, 0], [0, 0, 1], [0.1, 0.8, 0.1]]))
    return {
        "finetune": {
            "arms": ARMS,
            "adapter": draw(st.sampled_from(["dora", "lora"])),
            "rank": draw(st.sampled_from([1, 3, 80])),
            "alpha": draw(st.sampled_from([1e-9, 1.0, 1e6])),
            "lr": draw(st.sampled_from([0.0, 1e-4, 1.0])),
            "weight_decay": draw(st.sampled_from([0.0, 1.0])),
            "batch": draw(st.integers(1, 9)),
            "steps": draw(st.integers(1, 2)),
            "cfg_dropout": draw(st.sampled_from([0.0, 0.5, 1.0])),
            "betas": draw(st.sampled_from([[0.0, 0.0], [0.9, 0.999]])),
            "ot_coupling": draw(st.booleans()),
            "silence_extension": draw(st.sampled_from([0.0, 1e-300, 4.0, 86400.0])),
            "inpainting": [float(share) for share in shares],
            "context_loss": draw(st.sampled_from([0.0, 1.0, 1e6])),
            "clip_norm": draw(st.sampled_from([0.0, 1e-300, 1e6])),
            "checkpointing": draw(st.booleans()),
            "arms_per_pass": draw(st.integers(0, 3)),
            "save_every": draw(st.integers(0, 3)),
            "validate_every": draw(st.integers(0, 3)),
            "validation_clips": draw(st.integers(1, 3)),
        },
        "generate": {
            "prompts": draw(st.integers(1, 3)),
            "noises": draw(st.integers(1, 3)),
            "steps": draw(st.integers(1, 3)),
            "cfg_scale": draw(st.sampled_from([0.0, 1.0, 3.0, 100.0])),
        },
        "evaluate": {
            "clips": draw(st.integers(1, 3)),
            "embedders": [],
            "times_per_tenth": 1,
            "similarity": draw(st.sampled_from(["mel", "chroma", "latents"])),
        },
    }


def runs_or_is_refused(project, chosen: dict) -> None:
    shutil.rmtree("artifacts/finetune", ignore_errors=True)
    shutil.rmtree(".cache", ignore_errors=True)
    (project / "params.yaml").write_text(text(seeds=[0], model={"source": "base"}, **chosen))
    try:
        stage("finetune", 0)
        stage("generate", 0)
        stage("reference")
        stage("evaluate", 0)
    except UserError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said


@trials(deadline=None, max_examples=5, suppress_health_check=list(HealthCheck))
@given(in_range())
def test_settings_in_range_run_or_are_refused_in_a_sentence(project, chosen):
    runs_or_is_refused(project, chosen)


@pytest.mark.slow
@trials(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(in_range())
def test_many_settings_in_range_run_or_are_refused_in_a_sentence(project, chosen):
    runs_or_is_refused(project, chosen)

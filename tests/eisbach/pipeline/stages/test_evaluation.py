"""The stages `reference`, `evaluate` and `between_seeds` on artefacts of a tiny model with two arms.

Longer than 300 lines: all tests share the project at the top.
"""

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from eisbach import compose
from eisbach.adapters.merged import merged, without_adapters
from eisbach.adapters.paired import PairedAdapters
from eisbach.data import latents
from eisbach.errors import UserError
from eisbach.inference.evaluate import heldout_grid, heldout_metrics
from eisbach.inference.generate import PAPER, generate, prompts
from eisbach.models import small
from eisbach.pipeline import paths
from eisbach.pipeline.params import load
from eisbach.pipeline.stages import between_seeds, evaluate, finetune, reference
from eisbach.pipeline.stages import generate as sampling
from predictions.registry import load as registry
from predictions.report import curriculum
from tests.eisbach.metrics.embedders import tiny_clap
from tests.settings import PARAMS, text

ROOT = Path(__file__).parents[4]
SEEDS, ARMS, PROMPTS, NOISES = (0, 1), ("baseline", "barrier"), 3, 2
MEASURED = (*ARMS, "base")
TABLES = ("losses.parquet", "samples.parquet", "outcomes.parquet")


def settings() -> dict:
    return {
        "seeds": list(SEEDS),
        "model": {"source": "base"},
        "finetune": {
            "arms": {
                "baseline": {"weighting": "baseline"},
                "barrier": {"weighting": "barrier", "settings": {"lam": 0.5}},
            },
            "rank": 2,
        },
        "generate": {"prompts": PROMPTS, "noises": NOISES, "steps": 2},
        "evaluate": {"clips": 6, "embedders": []},
    }


@pytest.fixture
def archive(tiny_archive):
    """An archive with both contrast classes in every split."""
    kinds = ["contrast" if value > 0.5 else "flat" for value in tiny_archive.clips["contrast"]]
    return replace(tiny_archive, clips=tiny_archive.clips.assign(contrast_class=kinds))


@pytest.fixture
def project(tmp_path, monkeypatch, tiny_model, archive):
    """A project folder with everything that `reference` and `evaluate` read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(text(**settings()))
    codec = tiny_model.pretransform
    generator = torch.Generator().manual_seed(0)
    codec.fit([torch.randn(1, codec.mels, 48, generator=generator).cumsum(-1) * 0.3 - 4 for _ in range(8)])
    (tmp_path / "base").mkdir()
    from tests.conftest import tiny_config

    (tmp_path / "base" / "model_config.json").write_text(json.dumps(tiny_config(small)))
    small.save(tiny_model, tmp_path / "base" / "model.safetensors", torch.float32)
    latents.save(paths.ARCHIVE, archive)
    for seed in SEEDS:
        adapt_and_sample(seed, archive)
    return tmp_path


def adapt_and_sample(seed: int, archive: latents.Latents) -> None:
    """Write adapters that differ from their initial values, and samples of each arm."""
    model = small.load("base")
    adapters = PairedAdapters(model.model.model, ARMS, "dora", 2, 16.0, seed)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for arm in ARMS:
            for parameter in adapters.parameters(arm).values():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=draw))
            adapters.save(arm, paths.ADAPTERS / str(seed) / arm)
    asked, made = prompts(archive.split("heldout"), PROMPTS), {}
    sampling_settings = replace(PARAMS.generate, noises=NOISES, steps=2, cfg_scale=1.0)
    for arm in ARMS:
        with torch.no_grad(), merged(adapters, arm):  # `activate` would affect this thread only
            made[arm] = generate(model, asked, sampling_settings, seed)
    with without_adapters(adapters):
        made["base"] = generate(model, asked, sampling_settings, seed)
    (paths.SAMPLES / str(seed)).mkdir(parents=True)
    save_file(made, paths.SAMPLES / str(seed) / "samples.safetensors")


def outcome(project, seed: int, arm: str) -> pd.Series:
    table = pd.read_parquet(project / paths.EVALUATION / str(seed) / "outcomes.parquet")
    return table[table["arm"] == arm].set_index("metric")["value"]


def spoil(seed: int, arm: str, prompt: int, noise: int, value: float) -> None:
    """Set one sample of an arm to `value` everywhere."""
    path = paths.SAMPLES / str(seed) / "samples.safetensors"
    made = load_file(path)
    made[arm][prompt, noise] = value
    save_file(made, path)


def test_the_same_command_twice_writes_the_same_bytes(project):
    written = []
    for _ in range(2):
        reference.main()
        evaluate.main(0)
        files = [paths.REFERENCE, *sorted((paths.EVALUATION / "0").iterdir())]
        written.append({path.name: path.read_bytes() for path in files})
    assert set(TABLES) <= set(written[0])
    assert written[0] == written[1]


def test_every_arm_has_every_metric_once_and_finite(project):
    reference.main()
    evaluate.main(0)
    table = pd.read_parquet(paths.EVALUATION / "0" / "outcomes.parquet")
    assert not table.duplicated(["arm", "metric"]).any()
    assert np.isfinite(table["value"]).all()
    gradient = table["metric"].str.startswith("gradient_cosine/")
    assert set(table.loc[gradient, "arm"]) == {"barrier"}
    assert table[~gradient].groupby("metric")["arm"].agg(set).map(lambda arms: arms == set(MEASURED)).all()
    samples = pd.read_parquet(paths.EVALUATION / "0" / "samples.parquet")
    assert len(samples) == len(MEASURED) * PROMPTS * NOISES


def test_outcomes_are_means_over_the_rows_of_the_other_tables(project):
    reference.main()
    evaluate.main(0)
    samples = pd.read_parquet(paths.EVALUATION / "0" / "samples.parquet")
    measured = outcome(project, 0, "barrier")["dynamic_range_db"]
    assert measured == pytest.approx(samples.loc[samples["arm"] == "barrier", "dynamic_range_db"].mean())
    losses = pd.read_parquet(paths.EVALUATION / "0" / "losses.parquet")
    assert outcome(project, 0, "barrier")["heldout_loss"] == pytest.approx(
        losses.loc[losses["arm"] == "barrier", "loss"].mean()
    )


def test_base_is_the_untrained_model_and_the_baseline_is_at_no_distance_from_itself(project):
    reference.main()
    evaluate.main(0)
    table = pd.read_parquet(paths.EVALUATION / "0" / "outcomes.parquet").set_index(["arm", "metric"])
    assert set(table.loc["base", "adapter"]) == {"none"}
    same = ["loss_slope/log_w0", "loss_slope/label", "sample_distance_db/baseline"]
    assert (table.loc["baseline"].loc[same, "value"] == 0).all()
    assert (table.loc["barrier"].loc[same, "value"] != 0).all()
    assert table.loc[("base", "sample_distance_db/base"), "value"] == 0
    there, back = (table.loc[pair, "value"] for pair in (
        ("base", "sample_distance_db/baseline"), ("baseline", "sample_distance_db/base")
    ))  # fmt: skip
    assert there == back > 0
    losses = pd.read_parquet(paths.EVALUATION / "0" / "losses.parquet").query("arm == 'base'")
    model, archive = small.load("base"), latents.load(paths.ARCHIVE)
    grid = heldout_grid(archive.split("heldout"), load().evaluate, 0)
    untrained = heldout_metrics(model, grid, 0.5)[0]
    np.testing.assert_allclose(losses["loss"], untrained["loss"], rtol=1e-5)


@pytest.mark.slow
def test_the_docs_weighting_of_your_own_is_trained_sampled_measured_and_drawn(project):
    page = (ROOT / "docs" / "training.md").read_text().split("## A weighting of your own")[1]
    command = page.split("```\n")[1].splitlines()[0]
    overrides = shlex.split(command.removeprefix("python -m eisbach.compose"))
    composed = yaml.safe_load(compose.composed(overrides, ROOT / "conf"))["finetune"]
    arms = settings()["finetune"]["arms"] | {"power": composed["arms"]["power"]}
    own = {"arms": arms, "plugins": [str(ROOT / one) for one in composed["plugins"]], "rank": 2, "steps": 3, "batch": 2}
    (project / "params.yaml").write_text(text(**settings() | {"finetune": own, "seeds": [0]}))
    shutil.rmtree(paths.ADAPTERS)
    shutil.rmtree(paths.SAMPLES)
    finetune.main(0)
    sampling.main(0)
    reference.main()
    evaluate.main(0)
    telemetry = pd.read_parquet(paths.ADAPTERS / "0" / "telemetry.parquet").query("arm == 'power'")
    expected = telemetry["w"] ** 2
    expected = expected / expected.groupby(telemetry["step"]).transform("mean")
    np.testing.assert_allclose(telemetry["factor"], expected, rtol=1e-4)
    assert (outcome(project, 0, "power")[["loss_slope/log_w0", "sample_distance_db/baseline"]] != 0).all()
    table = pd.read_parquet(paths.EVALUATION / "0" / "outcomes.parquet")
    drawn = curriculum.view(table, pd.read_parquet(paths.ADAPTERS / "0" / "telemetry.parquet"), load().finetune)
    assert {row.arm for row in drawn.rows} == {"barrier", "power"}


def test_every_registered_metric_of_the_small_model_is_measured(project):
    reference.main()
    for seed in SEEDS:
        evaluate.main(seed)
    between_seeds.main()
    tables = [paths.EVALUATION / str(seed) / "outcomes.parquet" for seed in SEEDS] + [paths.BETWEEN_SEEDS]
    measured = set(pd.concat([pd.read_parquet(path) for path in tables])["metric"])
    plan = registry.load()
    of_seeds = [one.on["small"] for one in plan.atoms if "small" in one.on and one.on["small"].over == "seeds"]
    named = {metric for on in of_seeds for metric in (on.metric, on.minus_metric) if metric}
    small = plan.systems["small"]
    assert named | {small.trained, small.constant.metric} <= measured


def test_arms_of_a_seed_share_their_grid_and_seeds_do_not(project):
    reference.main()
    for seed in SEEDS:
        evaluate.main(seed)
    losses = {seed: pd.read_parquet(paths.EVALUATION / str(seed) / "losses.parquet") for seed in SEEDS}
    for table in losses.values():
        grids = [one[["clip_id", "t"]].reset_index(drop=True) for _, one in table.groupby("arm")]
        for other in grids[1:]:
            pd.testing.assert_frame_equal(grids[0], other)
        assert (table.groupby("arm")["loss"].mean().diff().dropna() != 0).all()
    assert not set(losses[0]["t"]) & set(losses[1]["t"])


def test_a_silent_sample_has_finite_metrics(project):
    reference.main()
    path = paths.SAMPLES / "0" / "samples.safetensors"
    made, codec = load_file(path), small.load("base").pretransform
    made["barrier"][0, 1] = codec.encode(torch.zeros(1, 2, 12 * codec.downsampling_ratio))[0]
    save_file(made, path)
    evaluate.main(0)
    assert np.isfinite(outcome(project, 0, "barrier")).all()


@pytest.mark.parametrize("fault", [float("nan"), float("inf")])
def test_a_sample_that_is_not_finite_is_named_and_nothing_is_written(project, fault):
    reference.main()
    spoil(0, "barrier", 2, 1, fault)
    with pytest.raises(UserError, match=r"arm 'barrier', seed 0: prompt 2, noise 1: .*diverged; lower finetune.lr"):
        evaluate.main(0)
    assert not list(paths.EVALUATION.glob("0/*.parquet"))


def test_a_diverged_adapter_is_named(project):
    reference.main()
    path = paths.ADAPTERS / "0" / "barrier" / "adapter_model.safetensors"
    save_file({name: torch.full_like(tensor, 1e30) for name, tensor in load_file(path).items()}, path)
    with pytest.raises(UserError, match="arm 'barrier', seed 0: the held-out loss is not finite"):
        evaluate.main(0)


def test_a_reference_of_other_clips_is_named(project, archive):
    reference.main()
    latents.save(paths.ARCHIVE, archive.rows(torch.arange(21)))
    with pytest.raises(UserError, match="the reference is of 16 clips, the archive has 14; run `dvc repro reference`"):
        evaluate.main(0)


def test_latents_after_the_end_of_a_clip_change_nothing(project, archive):
    """The padding of real clips, and of samples for shorter prompts, may have any value."""
    lengths = torch.tensor([8 if value < 0.5 else 12 for value in archive.clips["contrast"]])
    mask = torch.arange(12) < lengths[:, None]
    written = []
    for noise in (0.0, 30.0):
        padded = replace(archive, mask=mask, latents=torch.where(mask[:, None], archive.latents, noise))
        latents.save(paths.ARCHIVE, padded)
        asked = prompts(padded.split("heldout"), PROMPTS)
        assert 0 < asked.mask.sum(1).eq(8).sum() < PROMPTS
        path = paths.SAMPLES / "0" / "samples.safetensors"
        made = {arm: torch.where(asked.mask[:, None, None], x, noise) for arm, x in load_file(path).items()}
        save_file(made, path)
        reference.main()
        evaluate.main(0)
        kept = [paths.REFERENCE, paths.EVALUATION / "0" / "samples.parquet"]
        written.append([file.read_bytes() for file in kept])
    assert written[0] == written[1]


def test_a_third_seed_leaves_the_block_of_the_first_two_unchanged(project, archive):
    reference.main()
    for seed in SEEDS:
        evaluate.main(seed)
    between_seeds.main()
    table = pd.read_parquet(paths.BETWEEN_SEEDS)
    assert set(table["seed"]) == {0}
    assert not table.duplicated(["arm", "metric"]).any()
    assert np.isfinite(table["value"]).all()
    described = json.loads((paths.METRICS / "between_seeds.json").read_text())
    metric = "pairwise_distance/between_seeds_excess"
    own = table[(table["arm"] == "barrier") & (table["metric"] == metric)]["value"].item()
    assert described[metric]["by_arm"]["barrier"]["mean"] == pytest.approx(own)
    kept = paths.BETWEEN_SEEDS.read_bytes()

    adapt_and_sample(2, archive)
    (project / "params.yaml").write_text(text(**settings() | {"seeds": [0, 1, 2]}))
    evaluate.main(2)
    between_seeds.main()
    assert paths.BETWEEN_SEEDS.read_bytes() == kept
    described = json.loads((paths.METRICS / "between_seeds.json").read_text())
    interval = described[metric]["minus_baseline"]["barrier"]
    assert interval["low"] <= interval["mean"] <= interval["high"]


def test_a_single_seed_has_no_distance(project):
    (project / "params.yaml").write_text(text(**settings() | {"seeds": [0]}))
    reference.main()
    evaluate.main(0)
    between_seeds.main()
    assert pd.read_parquet(paths.BETWEEN_SEEDS).empty


def test_clap_is_measured_when_its_weights_are_present(project):
    tiny_clap.save(project)
    (project / "params.yaml").write_text(text(**settings() | {"evaluate": settings()["evaluate"] | {"clap": "."}}))
    reference.main()
    evaluate.main(0)
    found = outcome(project, 0, "barrier")
    assert {"alignment/clap", "vendi/clap", "fad/clap"} <= set(found.index)
    assert np.isfinite(found).all()


def test_missing_weights_of_clap_are_named(project):
    (project / "params.yaml").write_text(text(**settings() | {"evaluate": settings()["evaluate"] | {"clap": "."}}))
    with pytest.raises(UserError, match=r"holds no CLAP model .*set evaluate\.clap"):
        evaluate.main(0)


def test_the_paper_s_prompts_are_sampled_and_measured_without_clips_of_their_own(project, monkeypatch):
    monkeypatch.setattr("eisbach.inference.generate.PAPER_SECONDS", 2.0)  # 120 s take minutes to decode
    changed = settings()
    changed["generate"]["prompts"] = "paper"
    (project / "params.yaml").write_text(text(**changed))
    sampling.main(0)
    reference.main()
    evaluate.main(0)
    made = pd.read_parquet(paths.SAMPLES / "0" / "samples.parquet")
    assert all(tuple(captions) == PAPER for _, captions in made.groupby("arm")["caption"])
    found = outcome(project, 0, "barrier")
    assert np.isfinite(found["dynamic_range_db"])
    assert np.isfinite(found["sample_distance_db/baseline"])

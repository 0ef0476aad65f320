"""The pipeline's stages on a checkpoint in the released layout at small widths, from the hub's cache to an export that
Stability's own loader reads."""

import importlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from huggingface_hub import constants
from safetensors.torch import load_file
from stable_audio_tools.models.lora import get_lora_layers, load_and_apply_loras

from eisbach import compose
from eisbach.adapters.imported import use_adapter
from eisbach.adapters.paired import PairedAdapters
from eisbach.adapters.sa3_format import export_adapter, import_adapter
from eisbach.data import latents
from eisbach.models import hub, released
from eisbach.models.velocity import predict
from eisbach.pipeline import paths, tables
from eisbach.pipeline.params import load
from tests import checkpoints, stability_trainer
from tests.eisbach.adapters import stability

CONF = Path(__file__).parents[4] / "conf"
SOURCE, COMMIT = "owner/base", "0123456789abcdef0123456789abcdef01234567"
CLIPS = 8


def stage(name, *seed):
    importlib.import_module(f"eisbach.pipeline.stages.{name}").main(*seed)


def settings(**changes):
    """Write params.yaml for the released layout and a folder of music; "__" in the name of a change stands for "."."""
    chosen = {
        "data": "folder",
        "profile": "smoke",
        "model.source": SOURCE,
        "model.revision": COMMIT,
        "model.accept": json.dumps(checkpoints.NARROWED),
        "prepare.clip_seconds": 1.5,
        "prepare.clips": "{base: 0, finetune: 4, heldout: 4}",
        "finetune.lr": 0.02,
        "evaluate.embedders": "[]",
        "evaluate.clips": 4,
    }
    chosen |= {key.replace("__", "."): value for key, value in changes.items()}
    Path("params.yaml").write_text(compose.composed([f"{key}={value}" for key, value in chosen.items()], CONF))


@dataclass(frozen=True)
class Workplace:
    root: Path
    exported: dict[str, Path]  # the barrier's adapter in Stable Audio 3's format, by kind


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, released_folder):
    """A folder with the outputs of the stages up to `finetune`; the hub cannot be reached."""
    root = tmp_path_factory.mktemp("workplace")
    snapshots = root / "cache" / f"models--{SOURCE.replace('/', '--')}" / "snapshots"
    snapshots.mkdir(parents=True)
    (snapshots / COMMIT).symlink_to(released_folder)
    (root / "music").mkdir()
    table = ["file_name,caption,split"]
    for index in range(CLIPS):
        seconds = 1.5 if index % 2 else 1.2
        time = np.arange(round(seconds * 44100)) / 44100
        tone = np.sin(2 * np.pi * 220 * 2 ** (index / 12) * time) * np.linspace(0.1, 1, len(time))
        soundfile.write(root / "music" / f"{index}.wav", 0.3 * np.stack([tone, tone[::-1]], 1), 44100)
        table.append(f"{index}.wav,tone number {index},{'heldout' if index < CLIPS // 2 else 'finetune'}")
    (root / "music" / "metadata.csv").write_text("\n".join(table))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(constants, "HF_HUB_CACHE", str(root / "cache"))
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        settings()
        for name in ("prepare", "encode"):
            stage(name)
        exported = {}
        for kind in ("lora", "dora"):
            settings(finetune__adapter=kind)
            stage("finetune", 0)
            exported[kind] = root / f"{kind}.safetensors"
            export_adapter(paths.ADAPTERS / "0" / "barrier", exported[kind])
        yield Workplace(root, exported)


def test_encode_writes_latents_masks_text_states_and_the_hash_of_the_weights(workplace, released_folder):
    archive = latents.load(paths.ARCHIVE)
    assert archive.latents.shape == (CLIPS, checkpoints.CHANNELS, 17)
    assert sorted(archive.mask.sum(1).tolist()) == [13] * 4 + [17] * 4
    assert archive.states.shape == (CLIPS, 256, 768)
    written = json.loads((paths.METRICS / "encode.json").read_text())
    assert written["model_sha256"] == hub.sha256(released_folder / hub.WEIGHTS)
    assert math.isfinite(written["heldout_error_db_decoded"])


@pytest.mark.parametrize(("kind", "theirs"), [("lora", "lora"), ("dora", "dora-rows")])
def test_stability_s_loader_reproduces_the_velocity_of_a_trained_adapter(workplace, kind, theirs):
    archive = latents.load(paths.ARCHIVE).rows(torch.arange(3))
    noise = torch.randn(archive.latents.shape, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([0.1, 0.5, 0.9])
    plain, ours = (released.load(SOURCE, revision=COMMIT, accept=checkpoints.NARROWED) for _ in range(2))
    with torch.no_grad():
        base = predict(plain, noise, t, archive)
        load_and_apply_loras(plain, [workplace.exported[kind]], "diffusion_cond_inpaint")
        assert get_lora_layers(plain)[0][1].adapter_type == theirs
        import_adapter(workplace.exported[kind], workplace.root / "imported" / kind)
        adapters = PairedAdapters(ours.model.model, ["a"], kind, 16, 16.0)
        adapters.load("a", workplace.root / "imported" / kind)
        trained = predict(ours, noise, t, archive)
        torch.testing.assert_close(predict(plain, noise, t, archive), trained, rtol=1e-5, atol=1e-5)
    assert (trained - base).norm() > 0.01 * base.norm()


def loaded():
    return released.load(SOURCE, revision=COMMIT, accept=checkpoints.NARROWED)


def draws(clips, seed):
    noise = torch.randn(clips.latents.shape, generator=torch.Generator().manual_seed(seed))
    return noise, torch.linspace(0.1, 0.9, len(noise))


def train_as_stability_does(path):
    """Two steps of Stability's own trainer with its optimizer and default layers, written by its own saver."""
    model, clips, chosen = loaded(), latents.load(paths.ARCHIVE).split("finetune"), load().finetune
    with torch.random.fork_rng():
        torch.manual_seed(0)  # of the adapter's initial values
        trainer = stability_trainer.wrapper(model, chosen)
    (optimizer,) = trainer.configure_optimizers()
    for step in range(2):
        optimizer.zero_grad()
        stability_trainer.step(trainer, clips, 0, step).backward()
        optimizer.step()
    stability.save(model, path, rank=chosen.rank, alpha=chosen.alpha)
    return model


@pytest.fixture(scope="module")
def evaluated(workplace):
    """All stages have run, with the exported adapters imported as the arms "theirs" (DoRA) and "other-kind" (LoRA), and
    one that Stability's code trained, "stability"."""
    settings(finetune__adapter="dora")
    Path("adapters").mkdir()
    (Path("adapters") / "theirs.safetensors").write_bytes(workplace.exported["dora"].read_bytes())
    (Path("adapters") / "other-kind.safetensors").write_bytes(workplace.exported["lora"].read_bytes())
    train_as_stability_does(Path("adapters") / "stability.safetensors")
    for name, *seed in (("base",), ("census",), ("generate", 0), ("reference",), ("evaluate", 0)):
        stage(name, *seed)
    return workplace


@pytest.mark.usefixtures("evaluated")
def test_an_exported_and_imported_adapter_gives_the_samples_of_its_arm_bit_for_bit():
    samples = load_file(paths.SAMPLES / "0" / "samples.safetensors")
    assert torch.equal(samples["theirs"], samples["barrier"])
    assert not torch.equal(samples["other-kind"], samples["barrier"])
    assert not torch.equal(samples["baseline"], samples["barrier"])


@pytest.mark.usefixtures("evaluated")
def test_samples_are_stereo():
    audio, rate = soundfile.read(paths.SAMPLES / "0" / "barrier-00.flac")
    assert (audio.shape, rate) == ((17 * 4096, 2), 44100)
    assert not np.array_equal(audio[:, 0], audio[:, 1])


@pytest.mark.usefixtures("evaluated")
def test_an_imported_adapter_has_the_outcomes_of_its_arm_but_no_lambda():
    outcomes = tables.read(paths.EVALUATION / "0" / "outcomes.parquet")
    assert set(outcomes["regime"]) == {"other"}
    by_arm = {arm: rows.set_index("metric")["value"] for arm, rows in outcomes.groupby("arm")}
    cosines = ["gradient_cosine/sample", "gradient_cosine/batch"]  # need the arm's weighting
    assert by_arm["theirs"].equals(by_arm["barrier"].drop(cosines))
    assert by_arm["theirs"]["heldout_loss"] != by_arm["other-kind"]["heldout_loss"]
    theirs = outcomes[outcomes["arm"].isin(["theirs", "other-kind"])]
    assert theirs["lam"].isna().all()
    assert dict(zip(theirs["arm"], theirs["adapter"], strict=True)) == {"theirs": "dora", "other-kind": "lora"}


@pytest.mark.usefixtures("evaluated")
def test_an_adapter_that_stability_s_code_trained_is_an_arm_beside_ours():
    outcomes = tables.read(paths.EVALUATION / "0" / "outcomes.parquet")
    by_arm = {arm: rows.set_index("metric")["value"] for arm, rows in outcomes.groupby("arm")}
    assert by_arm["stability"].index.equals(by_arm["theirs"].index)
    assert by_arm["stability"]["heldout_loss"] != by_arm["baseline"]["heldout_loss"]
    assert math.isfinite(by_arm["stability"]["heldout_loss"])


@pytest.mark.usefixtures("evaluated")
def test_that_adapter_has_a_layer_of_the_conditioner_and_the_velocity_that_it_was_trained_to(tmp_path):
    path = tmp_path / "again.safetensors"
    author, model = train_as_stability_does(path), loaded()
    assert path.read_bytes() == (Path("adapters") / "stability.safetensors").read_bytes()
    adapters = PairedAdapters(model.model.model, ["a"], "dora", 4, 4.0, conditioner=model.conditioner)
    clips = latents.load(paths.ARCHIVE).split("heldout")
    noise, t = draws(clips, 5)
    with torch.no_grad(), use_adapter(adapters, path):
        made = predict(model, noise, t, clips)
        wanted = predict(author, noise, t, clips)
        model.conditioner.load_state_dict(loaded().conditioner.state_dict())
        without = predict(model, noise, t, clips)
    assert (made - wanted).norm() < 0.005 * wanted.norm()  # the file is in fp16
    assert (without - wanted).norm() > 2 * (made - wanted).norm()


@pytest.mark.usefixtures("evaluated")
def test_base_reports_the_loss_of_every_tenth_of_t():
    assert len(json.loads((paths.METRICS / "base.json").read_text())["loss_by_tenth_of_t"]) == 10

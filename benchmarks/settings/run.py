"""One development seed at one setting: train the arms, measure them after given numbers of steps, write tables."""

import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd

from eisbach.adapters.merged import merged, without_adapters
from eisbach.data import latents
from eisbach.inference import weight_stats
from eisbach.inference.generate import generate, prompts
from eisbach.metrics import clip_features, loss_by_t, sample_distance, structure
from eisbach.pipeline import paths
from eisbach.pipeline.params import Arm, load
from eisbach.pipeline.stages import adapters as stage_adapters
from eisbach.pipeline.stages import loading
from eisbach.seeds import derive
from eisbach.training.loop import finetune
from eisbach.weighting import of_run

ARMS = {
    "baseline": Arm("baseline"),
    "barrier": Arm("barrier", {"lam": 0.5}),
    "barrier_1": Arm("barrier", {"lam": 1.0}),
    "oracle": Arm("oracle", {"lam": 0.5}),
    "class": Arm("class"),
    "class_reversed": Arm("class_reversed"),
}


def run(seed: int, lr: float, batch: int, marks: list[int], clips: int, count: int, folder: Path) -> None:
    """Train and measure one seed; write a losses, a samples and a factors table for each mark."""
    params = load()
    settings = replace(params.finetune, arms=ARMS, lr=lr, batch=batch, steps=marks[-1])
    params = replace(params, finetune=settings)
    model, adapters = stage_adapters.untrained(params, seed)
    archive = latents.load(paths.ARCHIVE)
    heldout = archive.split("heldout")
    weightings = {name: of_run(arm.weighting, seed, **arm.settings) for name, arm in ARMS.items()}
    scale = _scale()
    began, records = time.process_time(), []
    for record in finetune(model, adapters, weightings, archive.split("finetune"), settings, seed):
        records.append({name: record[name].tolist() for name in ("t", "factor")} | {"arm": record["arm"]})
        done = record["step"] + 1
        if done in marks and record["arm"] == list(ARMS)[-1]:
            trained = time.process_time()
            label = {"seed": seed, "lr": lr, "batch": batch, "steps": done}
            losses, samples = _measured(model, adapters, heldout, scale, clips, count, seed, params.generate)
            factors = pd.DataFrame(records).explode(["t", "factor"])
            for name, table in (("losses", losses), ("samples", samples), ("factors", factors)):
                folder.mkdir(parents=True, exist_ok=True)
                table.assign(**label).to_parquet(folder / f"{name}-{seed}-{lr:g}-{batch}-{done}.parquet")
            print(label, f"training {trained - began:.0f} CPU-s, measuring {time.process_time() - trained:.0f} CPU-s")
            began = time.process_time() - (trained - began)


@cache
def _scale() -> structure.Scale:
    """The scale of the held-out clips, the same for all seeds: decoding them takes minutes."""
    codec, heldout = loading.base(load()).pretransform, latents.load(paths.ARCHIVE).split("heldout")
    return clip_features.fit([clip_features.extract(codec, x, {}) for x in heldout.latents], "mel")


def _measured(model, adapters, heldout, scale, clip_count, count, seed, sampling) -> tuple[pd.DataFrame, pd.DataFrame]:
    own = derive(0, "settings grid", seed)
    times, asked = loss_by_t.drawn_times(1, own), prompts(heldout, count)
    clips = prompts(heldout, clip_count)
    losses, rows, slow = [], [], {}
    for arm in ("base", *ARMS):
        with without_adapters(adapters) if arm == "base" else merged(adapters, arm):
            table = weight_stats.measure_grid(model, clips, times, 0.5, own)
            made = generate(model, asked, sampling, derive(0, "generate", seed))
        losses.append(table.assign(arm=arm))
        features = [[clip_features.extract(model.pretransform, one, {}) for one in group] for group in made]
        slow[arm] = [[one.sound.slow for one in group] for group in features]
        rows += [
            {"arm": arm, "prompt": prompt, "noise": noise, **structure.measure(one.sound, one.latents, scale)}
            for prompt, group in enumerate(features)
            for noise, one in enumerate(group)
        ]
    samples = pd.DataFrame(rows)
    for reference in ("baseline", "base"):
        samples[f"distance_{reference}"] = [
            sample_distance.rms_db(slow[arm][prompt][noise], slow[reference][prompt][noise])
            for arm, prompt, noise in samples[["arm", "prompt", "noise"]].itertuples(index=False)
        ]
    samples["distance_noise"] = samples["arm"].map(
        {arm: sample_distance.across_noise(one) for arm, one in slow.items()}
    )
    return pd.concat(losses), samples

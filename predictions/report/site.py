"""The whole report in one folder: HTML that opens from disk, Markdown and JSON."""

import json
import shutil
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

import yaml

from eisbach.metrics import validity
from eisbach.pipeline import paths
from eisbach.pipeline.params import Params
from predictions.registry import load as registry
from predictions.report import claims, exhibits, listening, mathematics, provenance, rendering, summary, weights
from predictions.report.inputs import Inputs
from predictions.report.intervals import interval
from predictions.report.pictures import paired, toys, training
from predictions.report.theme import metric_name

NOTES = yaml.safe_load(files("predictions.report").joinpath("notes.yaml").read_text())
COMMANDS = {"all": "dvc repro verify", "judge": "python -m predictions"}
PAGES = (
    ("index.html", "Verdicts"),
    ("listen.html", "Listen"),
    ("census.html", "The weight"),
    ("training.html", "Training"),
    ("toys.html", "Toys"),
    ("mathematics.html", "Mathematics"),
    ("provenance.html", "Provenance"),
)


@dataclass(frozen=True)
class Site:
    """What the pages show, computed once."""

    found: list[claims.Claim]
    context: dict


def write(folder: Path, root: Path, params: Params, inputs: Inputs) -> Site:
    """Write every page into `folder` from what lies under the project's root; the folder is made."""
    folder.mkdir(parents=True)
    site = _gathered(folder, root, params, inputs)
    environment = rendering.environment()

    def page(template: str, file: str, **more) -> None:
        text = environment.get_template(template).render(site.context | {"page": file} | more)
        (folder / file).write_text(text, encoding="utf-8")

    of_claims = [_of_claim(claim, site, folder, root, inputs.missing) for claim in site.found]  # may add to `missing`
    for file, _ in PAGES:
        page(f"{file}.j2", file)
    for claim, more in zip(site.found, of_claims, strict=True):
        page("claim.html.j2", claim.page, **more)
    page("durations.html.j2", "durations.html", durations=provenance.durations(root))
    page("report.md.j2", "report.md")
    for name in ("style.css", "report.js"):
        shutil.copyfile(rendering.STATIC / name, folder / name)
    shutil.copyfile(files("predictions.report").joinpath("verdicts.schema.json"), folder / "verdicts.schema.json")
    if "verdicts" in inputs.numbers:
        (folder / "verdicts.json").write_text(json.dumps(inputs.numbers["verdicts"], indent=1, sort_keys=True) + "\n")
    return site


def _gathered(folder: Path, root: Path, params: Params, inputs: Inputs) -> Site:
    document = inputs.numbers.get("verdicts")
    found = claims.claims(document or _registered())
    verdicts = [verdict for claim in found for hypothesis in claim.hypotheses for verdict in hypothesis.verdicts]
    judged = [verdict for verdict in verdicts if verdict["status_reason"]]
    heard = _heard(folder, root, inputs)
    differences, reference = _differences(params, inputs)
    regimes = {claims.family(verdict) for verdict in verdicts if verdict["effect_label"] != "not tested"}
    return Site(
        found,
        {
            "pages": PAGES,
            "claims": found,
            "tally": claims.tally(found),
            "status": sorted({verdict["status"] for verdict in judged}),
            "status_reasons": sorted({verdict["status_reason"] for verdict in judged}),
            "has_verdicts": document is not None,
            "has_medium": "medium" in regimes,
            "toys": _toys(inputs),
            "words": claims.words,
            "missing": inputs.missing,
            "commands": COMMANDS,
            "census": _census(params, inputs),
            "training": _of_training(inputs, reference),
            "differences": differences,
            "reference": reference,
            "derivations": mathematics.derivations(),
            "fitness": validity.load(),
            "rows": heard[1],
            "seed": heard[0],
            "codec_error": inputs.numbers.get("encode", {}).get("heldout_error_db_decoded"),
            "provenance": provenance.view(root, params, inputs, NOTES),
            "gate_rows": [
                (regime, run, gate)
                for regime, runs in (document or {"gates": {}})["gates"].items()
                for run, gate in runs.items()
            ],
        },
    )


def _of_claim(claim: claims.Claim, site: Site, folder: Path, root: Path, missing: list[str]) -> dict:
    proofs = dict.fromkeys(hypothesis.plan["proof"] for hypothesis in claim.hypotheses if hypothesis.plan["proof"])
    verdicts = [verdict for hypothesis in claim.hypotheses for verdict in hypothesis.verdicts]
    judged = [verdict for verdict in verdicts if verdict["status_reason"]]
    return {
        "claim": claim,
        "statuses": sorted({verdict["status"] for verdict in judged}),
        "pictures": {
            hypothesis.id: paired.by_seed(list(hypothesis.verdicts), f"h{number}")
            for number, hypothesis in enumerate(claim.hypotheses)
        },
        "exhibits": {
            (verdict["hypothesis"], verdict["regime"]): exhibits.exhibit(
                verdict["counterexample"], root / paths.METRICS, folder, f"e{number}", missing
            )
            for number, verdict in enumerate(verdicts)
            if verdict["counterexample"]
        },
        "proofs": [site.context["derivations"][name] for name in proofs],
        "gates": site.context["gate_rows"],
        "threats": NOTES["threats"].get(claim.id, []) + NOTES["threats"]["general"],
    }


def _registered() -> dict:
    """The claims, as far as anything can be said of them before verdicts: that they are registered."""
    named = [{"id": claim.id, "sentence": claim.sentence, "place": claim.place} for claim in registry.load().claims]
    return {"claims": [claim | {"verdicts": []} for claim in named]}


def _if(inputs: Inputs, name: str, make):
    return make(inputs.tables[name]) if name in inputs.tables else None


def _census(params: Params, inputs: Inputs) -> weights.View | None:
    if "census" not in inputs.tables or "census" not in inputs.numbers:
        return None
    return weights.view(
        inputs.tables["census"],
        inputs.numbers["census"],
        params.census.lam,
        inputs.outcomes(),
        inputs.tables.get("sensitivity"),
    )


def _heard(folder: Path, root: Path, inputs: Inputs) -> tuple[int | None, list[listening.Row]]:
    """The first seed that has samples."""
    if "made" not in inputs.tables:
        return None, []
    made = inputs.tables["made"]
    seed = int(made["seed"].iloc[0])
    return seed, listening.rows(made[made["seed"] == seed], root / paths.SAMPLES / str(seed), folder, inputs.missing)


def _toys(inputs: Inputs) -> list[tuple[str, list]]:
    names = [name for name in inputs.tables if name.startswith("toy_")]
    regimes = dict.fromkeys(regime for name in names for regime in inputs.tables[name]["regime"].unique())
    drawn = [(regime, toys.of_regime(regime, inputs.tables)) for regime in sorted(regimes, key=claims.order)]
    return [(regime, pictures) for regime, pictures in drawn if pictures]


def _of_training(inputs: Inputs, reference: str) -> list:
    drawn = [
        _if(inputs, "telemetry", partial(training.training_loss, reference=reference)),
        _if(inputs, "losses", partial(training.heldout_difference, reference=reference)),
    ]
    if "base" in inputs.numbers:
        references = inputs.numbers["base"]["loss_by_tenth_of_t"]
        drawn.append(_if(inputs, "base", partial(training.base_loss, references=references)))
    return [picture for picture in drawn if picture]


def _differences(params: Params, inputs: Inputs) -> tuple[list[dict], str]:
    reference = "baseline" if "baseline" in params.finetune.arms else next(iter(params.finetune.arms))
    if not {"losses", "samples"} <= inputs.tables.keys():
        return [], reference
    means = summary.seed_means(inputs.tables["losses"], inputs.tables["samples"])
    rows = summary.paired_differences(means, reference).to_dict("records")
    fit = validity.load()
    for row in rows:
        row["name"] = metric_name(row["metric"])
        judged = fit.get(row["metric"], {"valid": None, "reason": ""})
        row["valid"], row["why"] = judged["valid"], judged["reason"]
        words = f"{row['arm']}: difference {row['difference']:+.3g}"
        row["picture"] = interval(row["difference"], row["low"], row["high"], css="inconclusive", alt=words)
    return rows, reference

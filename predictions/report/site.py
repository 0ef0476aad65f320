"""The whole report in one folder: HTML that opens from disk, Markdown and JSON."""

import json
import shutil
from dataclasses import asdict, dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

import yaml

from eisbach.metrics import validity
from eisbach.pipeline import paths
from eisbach.pipeline.params import Params
from predictions.registry import load as registry
from predictions.report import (
    claims,
    curriculum,
    exhibits,
    listening,
    mathematics,
    provenance,
    rendering,
    summary,
    weights,
)
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
    """The content of the pages, computed once."""

    found: list[claims.Claim]
    context: dict


def write(folder: Path, root: Path, params: Params, inputs: Inputs) -> Site:
    """Write every page into the new folder `folder`, from `inputs` and the audio files under the project's root."""
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
    document = inputs.document
    found = claims.claims(document, registry.load())
    seed, rows = _takes(folder, root, inputs)
    differences, reference = _differences(params, inputs)
    return Site(
        found,
        {
            "pages": PAGES,
            "claims": found,
            "headline": document.headline if document else None,
            "titles": claims.systems(document),
            "gates": list(claims.gates(document)),
            "has_verdicts": document is not None,
            "has_medium": document is not None and "medium" in document.systems and document.systems["medium"].seeds,
            "toys": _toys(inputs),
            "missing": inputs.missing,
            "commands": COMMANDS,
            "census": _census(params, inputs),
            "training": _of_training(inputs, reference),
            "differences": differences,
            "doses": _doses(params, inputs),
            "reference": reference,
            "derivations": mathematics.derivations(),
            "validity": validity.load(),
            "rows": rows,
            "seed": seed,
            "distances": _distances(inputs, seed),
            "codec_error": inputs.numbers.get("encode", {}).get("heldout_error_db_decoded"),
            "provenance": provenance.view(root, params, inputs, NOTES),
        },
    )


def _of_claim(claim: claims.Claim, site: Site, folder: Path, root: Path, missing: list[str]) -> dict:
    return {
        "claim": claim,
        "pictures": {
            atom.id: paired.by_seed(atom, verdicts, site.context["titles"], f"h{number}")
            for number, (_, atom, verdicts) in enumerate(claim.deciding)
        },
        "exhibits": {
            number: exhibits.exhibit(asdict(one.counterexample), root / paths.METRICS, folder, f"e{number}", missing)
            for number, one in enumerate(claim.judged.algebra)
            if one.counterexample
        },
        "threats": NOTES["threats"].get(claim.judged.id, []) + NOTES["threats"]["general"],
    }


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
        {name: table for name, table in inputs.tables.items() if name.startswith("map_")},
    )


def _takes(folder: Path, root: Path, inputs: Inputs) -> tuple[int | None, list[listening.Row]]:
    """The first seed that has samples, and its rows of takes."""
    if "made" not in inputs.tables:
        return None, []
    made = inputs.tables["made"]
    seed = int(made["seed"].iloc[0])
    return seed, listening.rows(made[made["seed"] == seed], root / paths.SAMPLES / str(seed), folder, inputs.missing)


def _distances(inputs: Inputs, seed: int | None) -> listening.Distances | None:
    found = inputs.tables.get("outcomes")
    return None if found is None or seed is None else listening.distances(found, seed)


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


def _doses(params: Params, inputs: Inputs) -> curriculum.View | None:
    if not {"outcomes", "telemetry"} <= inputs.tables.keys():
        return None
    return curriculum.view(inputs.tables["outcomes"], inputs.tables["telemetry"], params.finetune)


def _differences(params: Params, inputs: Inputs) -> tuple[list[dict], str]:
    reference = "baseline" if "baseline" in params.finetune.arms else next(iter(params.finetune.arms))
    if not {"losses", "samples"} <= inputs.tables.keys():
        return [], reference
    means = summary.seed_means(inputs.tables["losses"], inputs.tables["samples"])
    rows = summary.paired_differences(means, reference).to_dict("records")
    measured = validity.load()
    for row in rows:
        row["name"] = metric_name(row["metric"])
        judged = measured.get(row["metric"], {"valid": None, "reason": ""})
        row["valid"], row["why"] = judged["valid"], judged["reason"]
        words = f"{row['arm']}: difference {row['difference']:+.3g}"
        row["picture"] = interval(row["difference"], row["low"], row["high"], css="undecided", alt=words)
    return rows, reference

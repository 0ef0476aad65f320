"""Every case of `cases` gives the row in status.parquet that it states."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from eisbach.data import manifest
from eisbach.data.recorded.folder import prepare_folder
from tests.eisbach.data.recorded import cases
from tests.settings import FOLDER, PARAMS


def settings(root, **corpus):
    counts = {"finetune": 1000, "heldout": 1000}
    own = {"min_seconds": 0.5, "min_coverage": 0.01, **corpus}
    return replace(PARAMS.prepare, clip_seconds=1.0, clips=counts, corpus=replace(FOLDER, path=str(root), **own))


def corpus_of(made, root, tmp_path):
    """Make the cases with a caption for each, prepare the folder; returns the statuses and the manifest."""
    root.mkdir()
    for seed, case in enumerate(made):
        case.make(root / case.name, seed)
    rows = "".join(f'"{case.name}","the tune of {case.what.replace(chr(34), "")}"\n' for case in made)
    (root / "metadata.csv").write_text("file_name,caption\n" + rows)
    prepare_folder(settings(root), tmp_path / "corpus", tmp_path / "cache")
    statuses = pd.read_parquet(tmp_path / "corpus" / "status.parquet").set_index("name")
    return statuses, pd.DataFrame(manifest.read(tmp_path / "corpus" / "manifest.parquet"))


@pytest.fixture(scope="module", params=["AUDIO", "LATENTS", "FOLDERS"])
def prepared(request, tmp_path_factory):
    folder, made = tmp_path_factory.mktemp(request.param), getattr(cases, request.param)
    return made, *corpus_of(made, folder / "music", folder)


def test_every_case_has_its_row(prepared):
    made, statuses, rows = prepared
    assert set(statuses.index) == {case.name for case in made}
    wrong = []
    for case in made:
        row = statuses.loc[case.name]
        seconds = rows.loc[rows["file"] == case.name, "seconds"].sum()
        right = row["status"] == case.status and re.search(case.reason, row["reason"])
        right = right and case.lost[0] - 0.01 <= row["lost_seconds"] <= case.lost[1] + 0.01
        right = right and (case.seconds is None or abs(seconds - case.seconds) < 0.15)
        if not right:
            wrong.append(f"{case.name}: {row['status']}, {row['reason']!r}, {row['lost_seconds']} s, used {seconds} s")
    assert not wrong, "\n".join(wrong)


def test_faults_have_a_reason_and_nothing_that_differs_between_runs(prepared):
    _, statuses, _ = prepared
    faulty = statuses[statuses["status"] != "ok"]
    assert (faulty["reason"].str.len() > 4).all()
    assert not statuses["reason"].str.contains(r"0x[0-9a-f]|@|/tmp|eisbach-|\d\d:\d\d").any()


def test_cancelling_channels_are_recorded(tmp_path):
    made = [case for case in cases.AUDIO if case.name in ("antiphase.wav", "wide.wav")]
    _, rows = corpus_of(made, tmp_path / "music", tmp_path)
    assert set(zip(rows["file"], rows["channels_used"], strict=True)) == {
        ("antiphase.wav", "left"),
        ("wide.wav", "both"),
    }

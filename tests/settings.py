"""Settings for tests: those of the committed params.yaml and of conf/data, to be changed by `dataclasses.replace`."""

from pathlib import Path

import yaml

from eisbach.pipeline.params import Folder, MusicCaps, Scores, load

ROOT = Path(__file__).parents[1]
PARAMS = load(ROOT / "params.yaml")


def _corpus(name: str) -> dict:
    return yaml.safe_load((ROOT / "conf" / "data" / f"{name}.yaml").read_text())["prepare"]["corpus"]


SCORES, MUSICCAPS, FOLDER = Scores(**_corpus("scores")), MusicCaps(**_corpus("musiccaps")), Folder(**_corpus("folder"))


def text(**changes: object) -> str:
    """The committed params.yaml with `changes`: a section's keys replace those of that section, whole values theirs."""
    whole = yaml.safe_load((ROOT / "params.yaml").read_text())
    for name, change in changes.items():
        whole[name] = {**whole[name], **change} if isinstance(change, dict) else change
    return yaml.safe_dump(whole, sort_keys=False)

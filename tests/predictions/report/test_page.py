import itertools

import pandas as pd
import pytest

from predictions.report import page, pictures
from predictions.report.summary import LABELS, paired_differences

HOSTILE = "<script>alert('x')</script> \"quoted\" \u202eright to left"


@pytest.fixture
def tables():
    ts, arms, seeds = (0.25, 0.75), ("baseline", "barrier"), (0, 1)
    grid = list(itertools.product(arms, seeds, ts))
    losses = pd.DataFrame([{"arm": a, "seed": s, "t": t, "loss": 1 + t + 0.1 * s, "clip_id": "c"} for a, s, t in grid])
    return {
        "census": pd.DataFrame(
            [{"t": t, "w": 0.2 + k, "contrast_class": c} for t in ts for k in (0, 0.1) for c in pictures.CLASSES]
        ),
        "base": losses.query("arm == 'baseline'"),
        "losses": losses,
        "telemetry": pd.DataFrame(
            [
                {"arm": a, "seed": s, "step": step, "loss": 2.0 - step / 9}
                for a, s in itertools.product(arms, seeds)
                for step in range(9)
            ]
        ),
    }


def rendered(tables, caption="soft strings"):
    by_tenth = {f"{k / 10}": {"model": 1.0, "linear": 1.2, "scalar": 1.3, "zero": 2.0} for k in (2, 7)}
    facts = {
        "arms": ["baseline", "barrier"], "reference": "baseline", "seeds": [0, 1], "steps": 9,
        "base": {"loss_by_tenth_of_t": by_tenth}, "census": {"mean_w": 0.2},
        "encode": {"heldout_error_db_decoded": 2.0},
    }  # fmt: skip
    means = pd.DataFrame(
        [{"arm": a, "seed": s, "metric": m, "value": float(s)} for a in facts["arms"] for s in (0, 1) for m in LABELS]
    )
    listen = {"seed": 0, "prompts": [{"caption": caption, "files": ["audio/a.flac", "audio/b.flac"]}]}
    return page.render(tables, facts, paired_differences(means, "baseline"), listen)


def test_the_page_has_its_pictures_players_and_measures(tables):
    html = rendered(tables)
    assert html.count("<svg") == 4
    assert html.count("<audio") == 2
    assert all(label in html for label in LABELS.values())


def test_the_same_tables_give_the_same_bytes(tables):
    assert rendered(tables) == rendered(tables)


def test_hostile_captions_are_shown_as_text(tables):
    html = rendered(tables, HOSTILE)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_unknown_numbers_are_said_in_words():
    assert page.number(float("nan")) == "unknown"
    assert page.number(0.123456, sign=True) == "+0.1235"

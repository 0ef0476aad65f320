"""Helpers of the judge's tests: one hypothesis of the page, judged on planted outcomes."""

import pandas as pd

from predictions.judge.judge import judge
from tests.predictions.conftest import CLEAN, planted


def judged(plan, table, hypothesis="claim/risk", regime="toy/one", run="short", checkout=CLEAN, **more):
    """The verdict of one hypothesis on one regime and run."""
    found = judge(plan, table, checkout, **more).verdicts[hypothesis]
    (verdict,) = [one for one in found if (one.regime, one.run) == (regime, run)]
    return verdict


def pair(verdict):
    """The labels of effect and mechanism."""
    return verdict.label, verdict.mechanism and verdict.mechanism.label


def with_kind(page, load_page, **changes):
    """A registry of the page's first hypothesis alone, with other keys; None removes a key."""
    first = {k: v for k, v in page["claims"][0]["hypotheses"][0].items() if k not in ("controls", "direction")}
    first = {key: value for key, value in (first | changes).items() if value is not None}
    page["claims"][0]["hypotheses"] = [first]
    return load_page(page)


def on_detail(page, load_page, **changes):
    """The same on `detail`, a metric that is not the gate's, as a claim that it falls."""
    return with_kind(page, load_page, **{"metric": "detail", "direction": "lower"} | changes)


def with_detail(**effects):
    """Outcomes as planted, and `detail` with effects of its own."""
    return pd.concat([planted(), planted(seed=1, **effects).query("metric == 'risk'").assign(metric="detail")])

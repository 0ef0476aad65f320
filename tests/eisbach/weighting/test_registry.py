"""Registering weightings and making them by name."""

from dataclasses import dataclass

import pytest
import torch

from eisbach import weighting as arms
from eisbach.weighting import (
    Traits,
    make,
    registry,
    traits_of,
    weighting,
)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"^unknown weighting 'barier'; known are baseline, barrier, "):
        make("barier")


@pytest.mark.parametrize(
    ("name", "has"), [("shuffled", "lam, seed"), ("trace", "none"), ("timestep", "bins"), ("baseline", "none")]
)
def test_an_unknown_setting_lists_the_known_ones(name, has):
    with pytest.raises(ValueError, match=rf"^weighting '{name}' has no setting gamma, lambda_; it has {has}$"):
        make(name, lambda_=1, gamma=2)


def test_a_user_adds_an_arm_with_one_decorator(batch, monkeypatch):
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))

    @weighting("mine")
    @dataclass(frozen=True)
    class Mine:
        power: float = 1.0

        def __call__(self, output, target, t, mask=None, **_):
            return t**self.power

    assert Mine(2.0) == make("mine", power=2.0)
    torch.testing.assert_close(make("mine", power=2.0)(*batch[:4]), batch[2] ** 2)


def test_followers_are_the_weightings_with_the_trait_replays(monkeypatch):
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    assert set(arms.followers()) == {"trace", "timestep", "constant"}

    @weighting("mine", replays="step")
    class Mine:
        def calibrate(self, factor, t, step): ...

    assert "mine" in arms.followers()


def test_an_unknown_trait_is_refused(monkeypatch):
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    with pytest.raises(TypeError, match="needs_text"):
        weighting("mine", needs_text=True)(type("Mine", (), {}))


def test_a_callable_that_was_never_registered_has_no_traits():
    assert traits_of(lambda output, target, t, mask=None, **_: t) == Traits()


def test_settings_are_those_that_make_takes():
    assert arms.settings_of("shuffled") == ["lam", "seed"]
    assert arms.settings_of("baseline") == []


def test_a_name_cannot_be_registered_twice():
    with pytest.raises(ValueError, match=r"^a weighting named 'barrier' exists already; choose another name$"):
        weighting("barrier")(object)


def test_an_arm_of_a_run_draws_from_the_run_s_seed_by_default(batch):
    output, target, t, mask, _ = batch

    def factors(arm):
        return torch.stack([arm(output, target, t, mask, step=step) for step in range(8)])

    for seed in (0, 7):
        wanted = factors(make("shuffled", lam=0.3, seed=seed))
        assert torch.equal(factors(arms.of_run("shuffled", seed, lam=0.3)), wanted)
    assert not torch.equal(factors(arms.of_run("shuffled", 0)), factors(arms.of_run("shuffled", 7)))
    assert torch.equal(factors(arms.of_run("shuffled", 0, seed=7)), factors(arms.of_run("shuffled", 7)))
    assert not torch.equal(arms.of_run("edm2", 0).frequency, arms.of_run("edm2", 7).frequency)
    assert arms.of_run("barrier", 7, lam=0.3) == make("barrier", lam=0.3)
    with pytest.raises(ValueError, match="unknown weighting 'none'"):
        arms.of_run("none", 0)

"""The range of every number in params.yaml: what lies outside is refused by name."""

import math
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from eisbach.errors import UserError
from eisbach.pipeline import params, settings_page
from tests.settings import text

ROOT = Path(__file__).parents[3]
WHOLE = yaml.safe_load(text())
SCHEMA = TypeAdapter(params.Params).json_schema()
NOT_NUMBERS = st.one_of(
    st.text(), st.booleans(), st.none(), st.just([]), st.just({}), st.just(math.nan), st.just(math.inf)
)


def numbers(values: dict, part: dict, path: tuple = ()):
    """(path, JSON schema) of every number among the settings `values`."""
    for key, field in part["properties"].items():
        field = SCHEMA["$defs"][field["$ref"].rpartition("/")[2]] if "$ref" in field else field
        if "properties" in field:
            yield from numbers(values[key], field, (*path, key))
        elif field.get("type") in ("integer", "number"):
            yield (*path, key), field
        elif field.get("type") == "array":
            for index, item in enumerate(field.get("prefixItems", [field.get("items")])):
                if item["type"] in ("integer", "number"):
                    yield (*path, key, index), item


NUMBERS = list(numbers(WHOLE, SCHEMA))


def changed(path: tuple, value: object) -> dict:
    whole = deepcopy(WHOLE)
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return whole


def refused(path: tuple, value: object) -> None:
    with pytest.raises(UserError) as caught:
        params.checked(changed(path, value), "params.yaml", "correct it")
    assert f"'{'.'.join(map(str, path))}'" in str(caught.value)
    assert "\n" not in str(caught.value)


def outside(field: dict):
    """Numbers beyond the bounds of a field, near and far."""
    step = 1 if field["type"] == "integer" else 1e-9
    for bound, sign, open_ in (
        ("minimum", -1, False),
        ("exclusiveMinimum", -1, True),
        ("maximum", 1, False),
        ("exclusiveMaximum", 1, True),
    ):
        if bound in field:
            yield field[bound] if open_ else field[bound] + sign * step * max(1, abs(field[bound]))
            yield field[bound] + sign * 10**30


def test_every_number_of_the_file_is_found():
    assert {("finetune", "rank"), ("finetune", "betas", 1), ("toys", "lams", 0), ("seeds", 0)} <= {
        path for path, _ in NUMBERS
    }
    assert len(NUMBERS) > 50


@pytest.mark.parametrize(
    ("path", "field"), NUMBERS, ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else ""
)
def test_every_number_has_a_range_and_what_is_outside_is_refused(path, field):
    assert field.keys() & {"minimum", "exclusiveMinimum"}
    assert field.keys() & {"maximum", "exclusiveMaximum"}
    for value in outside(field):
        refused(path, value)


@given(st.sampled_from(NUMBERS), NOT_NUMBERS)
def test_what_is_no_number_is_refused_where_a_number_is_wanted(one, value):
    refused(one[0], value)


@given(st.sampled_from([one for one in NUMBERS if one[1]["type"] == "integer"]), st.floats())
def test_a_fraction_is_no_integer(one, value):
    refused(one[0], value)


@given(st.tuples(*[st.floats(0, 1)] * 3))
def test_inpainting_shares_sum_to_one(shares):
    whole = changed(("finetune", "inpainting"), list(shares))
    if abs(sum(shares) - 1) <= 1e-6:
        params.checked(whole, "params.yaml", "correct it")
    else:
        with pytest.raises(UserError, match=r"'finetune\.inpainting': the shares sum to"):
            params.checked(whole, "params.yaml", "correct it")


@given(st.lists(st.integers(-2, 5), max_size=6))
def test_seeds_are_unique_and_not_negative(seeds):
    whole = changed(("seeds",), seeds)
    if seeds and min(seeds) >= 0 and len(set(seeds)) == len(seeds):
        assert params.checked(whole, "params.yaml", "correct it").seeds == seeds
    else:
        with pytest.raises(UserError, match="'seeds"):
            params.checked(whole, "params.yaml", "correct it")


@given(st.text(min_size=1) | st.text("ab0-_", min_size=1, max_size=70))
def test_the_name_of_an_arm_is_part_of_a_file_name(name):
    whole = changed(("finetune", "arms"), {name: {"weighting": "baseline"}})
    plain = all(one.isascii() and (one.isalnum() or one in "-_") for one in name)
    if plain and name[0] != "-" and len(name) <= 60:
        params.checked(whole, "params.yaml", "correct it")
    else:
        with pytest.raises(UserError, match=r"finetune\.arms"):
            params.checked(whole, "params.yaml", "correct it")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"finetune": {"arms": {}}}, "'finetune.arms' is {}: "),
        (
            {"finetune": {"arms": {"A": {"weighting": "baseline"}, "a": {"weighting": "baseline"}}}},
            "'finetune.arms': 'a' stands there twice",
        ),
        ({"finetune": {"batch": 161}}, "finetune.batch is 161, but prepare.clips.finetune is 160; lower"),
        ({"generate": {"prompts": 65}}, "generate.prompts is 65, but prepare.clips.heldout is 64; lower"),
        ({"evaluate": {"clips": 65}}, "evaluate.clips is 65, but prepare.clips.heldout is 64; lower"),
        ({"pretrain": {"batch": 4000}}, "pretrain.batch is 4000, above pretrain.clips, 3000"),
        ({"prepare": {"clips": {"finetune": 4, "heldout": 0}}}, "'prepare': clips.heldout must be at least 1"),
        (
            {"prepare": {"clips": {"finetune": 4, "heldout": 64, "test": 1}}},
            "'prepare.clips.test' is 'test': input should be 'base'",
        ),
        ({"prepare": {"clip_seconds": 31.0}}, "'prepare': clip_seconds is 31; a clip of scores has 1 to 30 seconds"),
        (
            {"prepare": {"clips": {"base": 0, "finetune": 160, "heldout": 64}}},
            "'prepare': clips has a split with 0 clips",
        ),
        ({"model": {"device": "cuda"}}, "'model': source is empty, which is the model in this package"),
        ({"model": {"source": "x", "device": "gpu"}}, "'model.device' is 'gpu': string should match"),
        ({"model": {"source": "x", "sha256": "00"}}, "'model.sha256' is '00'"),
        ({"imported": ""}, "'imported' is ''"),
        ({"imported": "a\0b"}, r"'imported' is 'a\\x00b'"),
        ({"toys": {"swept": ["barrier", "barrier"]}}, "'toys.swept': 'barrier' stands there twice"),
        ({"toys": {"regimes": ["densities/none"]}}, "'toys.regimes.0' is 'densities/none': input should be 'analytic'"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(changes, said):
    whole = yaml.safe_load(text(**changes))
    with pytest.raises(UserError) as caught:
        params.checked(whole, "params.yaml", "correct it")
    assert str(caught.value).startswith(f"params.yaml: {said}".replace("\\\\", "\\"))


def test_of_many_faults_five_are_named():
    with pytest.raises(UserError, match=r"missing key 'seeds';.*; and 7 more; correct it$"):
        params.checked({}, "params.yaml", "correct it")


def test_the_page_of_settings_is_that_of_params():
    assert (ROOT / settings_page.PAGE).read_text() == settings_page.text(ROOT)


def test_the_page_has_every_setting_with_its_meaning_or_range():
    page = settings_page.text(ROOT)
    assert all(f"| `{path[1]}` |" in page for path, _ in NUMBERS if len(path) > 1)
    assert "| `inpainting` | 3 numbers: number from 0 to 1 | `[0.0, 1.0, 0.0]` | shares of random spans" in page

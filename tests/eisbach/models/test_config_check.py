"""The oracles are stable-audio-tools, which builds models from the configurations, and published sizes."""

import copy
import json

import pytest

from eisbach.errors import UserError
from eisbach.models import config_check, hub, released
from tests import checkpoints

DIT = "model.diffusion.config"
SIZES = {  # (tensors, numbers in them) of each part, as published about the released checkpoints
    "medium": {
        "model": (522, 1_453_170_192),
        "pretransform": (472, 852_127_457),
        "conditioner": (3, 198_144),
    },
}
TENSORS = {"medium": 997, "stability_small": 685}


def changed(config, path, value):
    """`config` with `value` at a dotted path, created where missing; None deletes. Entries of a list go by their id."""
    *parents, last = path.split(".")
    node = config
    for key in parents:
        node = next(e for e in node if e["id"] == key) if isinstance(node, list) else node.setdefault(key, {})
    if value is None:
        del node[last]
    else:
        node[last] = value
    return config


def with_defaults(node, defaults):
    """`node` with every setting of `defaults` that it leaves out."""
    if isinstance(node, list) and isinstance(defaults, list):
        by_id = {entry["id"]: entry for entry in defaults}
        return [with_defaults(entry, by_id.get(entry["id"], {})) for entry in node]
    if not isinstance(node, dict) or not isinstance(defaults, dict):
        return node
    return {**defaults, **{key: with_defaults(value, defaults.get(key)) for key, value in node.items()}}


def without_defaults(node, defaults):
    """`node` without every setting that has its default."""
    if isinstance(node, list) and isinstance(defaults, list):
        by_id = {entry["id"]: entry for entry in defaults}
        return [without_defaults(entry, by_id.get(entry["id"], {})) for entry in node]
    if not isinstance(node, dict) or not isinstance(defaults, dict):
        return node
    return {
        key: without_defaults(value, defaults.get(key))
        for key, value in node.items()
        if key == "id" or key not in defaults or value != defaults[key]
    }


@pytest.fixture
def defaults():
    return json.loads((config_check.FOLDER / "defaults.json").read_text())


def build(config):
    return released.build_empty(config, hub.Source("nowhere"))


def described(model):
    """Type and plain attributes of every module, and the shape of every tensor."""
    plain = (bool, int, float, str, type(None), tuple, list)
    modules = {
        name: (type(module), {key: value for key, value in vars(module).items() if isinstance(value, plain)})
        for name, module in model.named_modules()
    }
    return modules, {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("name", config_check.NAMES)
def test_a_known_configuration_builds_a_model_of_the_released_size(name):
    model = build(config_check.known(name))
    assert len(model.state_dict()) == TENSORS[name]
    assert released.regime(model, name) == name


def test_the_parts_of_medium_have_their_published_sizes():
    state = build(config_check.known("medium")).state_dict()
    for part, (tensors, numbers) in SIZES["medium"].items():
        found = [tensor for key, tensor in state.items() if key.startswith(f"{part}.")]
        assert (len(found), sum(tensor.numel() for tensor in found)) == (tensors, numbers)


@pytest.mark.parametrize("name", config_check.NAMES)
def test_stating_the_defaults_builds_the_same_model(name, defaults):
    known = config_check.known(name)
    stated = with_defaults(known, defaults)
    assert len(config_check.flatten(stated)) > len(config_check.flatten(known)) + 50
    assert described(build(stated)) == described(build(known))


@pytest.mark.parametrize("key", ["attn_kwargs.qk_norm_eps", "norm_kwargs.eps", "patch_size"])
def test_another_value_than_the_default_builds_another_model(key):
    other = changed(config_check.known("medium"), f"{DIT}.{key}", 2)
    assert described(build(other)) != described(build(config_check.known("medium")))


@pytest.mark.parametrize("name", config_check.NAMES)
def test_a_configuration_that_states_every_default_is_recognised(name, defaults):
    assert config_check.check(with_defaults(config_check.known(name), defaults), [], "x") == name


@pytest.mark.parametrize("name", config_check.NAMES)
def test_a_configuration_that_leaves_out_every_default_is_recognised(name, defaults):
    known = config_check.known(name)
    shorter = without_defaults(with_defaults(known, defaults), defaults)
    assert len(config_check.flatten(shorter)) <= len(config_check.flatten(known))
    assert config_check.check(shorter, [], "x") == name


def test_the_known_configurations_differ_from_each_other():
    medium, small = map(config_check.known, ("medium", "stability_small"))
    assert {"sample_rate", f"{DIT}.depth", f"{DIT}.embed_dim"} & config_check.differences(medium, small).keys() == {
        f"{DIT}.depth",
        f"{DIT}.embed_dim",
    }


CHANGES = [
    (f"{DIT}.depth", 25, "is 25, not 24"),
    (f"{DIT}.attn_kwargs.differential", False, "is False, not True"),
    (f"{DIT}.norm_kwargs", {"force_fp32": True, "eps": 1e-6}, "eps' is 1e-06, not 1e-05"),
    (f"{DIT}.timestep_features_logsnr", True, "is True, not False"),
    (f"{DIT}.new_trick", 3, "is unknown (3)"),
    (f"{DIT}.num_memory_tokens", None, "is missing (64)"),
    ("model.diffusion.diffusion_objective", "rf_denoiser", "is 'rf_denoiser', not 'rectified_flow'"),
    ("model.diffusion.global_cond_ids", ["prompt"], "is ['prompt'], not ['seconds_total']"),
    ("model.pretransform.scale", 2.0, "is 2.0, not 1.0"),
    ("model.pretransform.config.encoder.config.sliding_window", [2, 2], "is [2, 2], not [1, 1]"),
    ("model.conditioning.configs.seconds_total.config.max_val", 512, "is 512, not 384"),
    ("model.conditioning.configs.prompt.type", "t5", "is 't5', not 't5gemma'"),
    ("sample_rate", 48000, "is 48000, not 44100"),
    ("model_type", None, "is missing ('diffusion_cond_inpaint')"),
    ("surprise", {"inside": 1}, "'surprise.inside' is unknown"),
]


@pytest.mark.parametrize(("path", "value", "said"), CHANGES)
def test_a_setting_that_differs_is_named_with_the_cure(path, value, said):
    config = changed(config_check.known("medium"), path, value)
    with pytest.raises(UserError, match="x differs from the known configuration of 'medium': ") as refusal:
        config_check.check(config, [], "x")
    assert said in str(refusal.value)
    assert "model.accept" in str(refusal.value)


@pytest.mark.parametrize(("path", "value", "said"), CHANGES)
def test_a_setting_may_differ_when_its_path_is_accepted(path, value, said):
    config = changed(config_check.known("medium"), path, value)
    assert config_check.check(config, [path], "x") == "medium"


@pytest.mark.parametrize(("path", "value", "said"), [change for change in CHANGES if "." in change[0]])
def test_an_accepted_path_covers_all_settings_below_it(path, value, said):
    config = changed(config_check.known("medium"), path, value)
    assert config_check.check(config, [path.rpartition(".")[0]], "x") == "medium"


def test_an_accepted_path_covers_no_setting_that_only_starts_with_its_text():
    config = changed(config_check.known("medium"), f"{DIT}.depth", 25)
    with pytest.raises(UserError, match="is 25, not 24"):
        config_check.check(config, [f"{DIT}.dep"], "x")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("training", {"demo": {"demo_steps": 50}}),
        ("sample_size", 5324800),
        ("model.pretransform.iterate_batch", True),
        ("model.pretransform.config.encoder.config.conv_bias", False),
        ("model.pretransform.config.decoder.config.mask_noise", 0.01),
        ("model.conditioning.configs.prompt.config.repo_id", "someone/else"),
    ],
)
def test_a_setting_on_which_no_output_depends_may_differ(path, value):
    known = config_check.known("medium")
    config = changed(copy.deepcopy(known), path, value)
    assert config_check.flatten(config) != config_check.flatten(known)
    assert config_check.check(config, [], "x") == "medium"


def test_small_widths_differ_from_medium_in_exactly_the_listed_settings():
    found = config_check.differences(checkpoints.small_widths(), config_check.known("medium"))
    assert found.keys() == set(checkpoints.NARROWED)


def test_a_configuration_is_compared_with_the_nearest_known_one():
    config = changed(config_check.known("stability_small"), f"{DIT}.depth", 21)
    with pytest.raises(UserError, match=r"configuration of 'stability_small': .*config\.depth' is 21, not 20;"):
        config_check.check(config, [], "x")


SPELLINGS = [
    ("model.pretransform.config.encoder.type", "same"),
    ("model.pretransform.config.decoder.type", "same"),
    (f"{DIT}.timestep_features_dim", None),
    (f"{DIT}.transformer_type", None),
    ("model.diffusion.distribution_shift_options.base_shift", None),
    ("model.diffusion.distribution_shift_options.max_shift", None),
    ("model.diffusion.distribution_shift_options.min_length", None),
]


def test_aliases_and_defaults_left_out_are_the_same_model():
    config = config_check.known("medium")
    for path, value in SPELLINGS:
        config = changed(config, path, value)
    assert config_check.check(config, [], "x") == "medium"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{DIT}.timestep_features_type", None),
        (f"{DIT}.norm_type", None),
        (f"{DIT}.attn_kwargs.qk_norm", None),
        (f"{DIT}.attn_kwargs.qk_norm", "l2"),
        (f"{DIT}.global_cond_type", None),
        ("model.diffusion.mask_padding_attention", None),
        ("model.diffusion.use_effective_length_for_schedule", None),
        ("model.conditioning.configs.seconds_total.config.max_val", None),
        ("model.pretransform.config.encoder.config.sliding_window", None),
        ("model.pretransform.config.bottleneck.config.auto_scale", None),
        ("model.pretransform.chunked", None),
    ],
)
def test_a_setting_left_out_that_is_no_default_is_still_named(path, value):
    config = changed(config_check.known("medium"), path, value)
    with pytest.raises(UserError, match=path.rpartition(".")[2]):
        config_check.check(config, [], "x")

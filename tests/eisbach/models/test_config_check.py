import pytest

from eisbach.errors import UserError
from eisbach.models import config_check
from tests import checkpoints

DIT = "model.diffusion.config"


def changed(config, path, value):
    """`config` with `value` at a dotted path, made where it is not; entries of a list go by their id."""
    *parents, last = path.split(".")
    node = config
    for key in parents:
        node = next(e for e in node if e["id"] == key) if isinstance(node, list) else node.setdefault(key, {})
    if value is None:
        del node[last]
    else:
        node[last] = value
    return config


@pytest.mark.parametrize("name", config_check.NAMES)
def test_a_known_configuration_passes(name):
    assert config_check.check(config_check.known(name), [], "x") == name


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
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
    ],
)
def test_what_differs_is_said_unless_it_is_accepted(path, value, said):
    config = changed(config_check.known("medium"), path, value)
    with pytest.raises(UserError, match="is not the configuration of 'medium' known here") as refusal:
        config_check.check(config, [], "model_config.json of here")
    assert said in str(refusal.value)
    assert "model.accept" in str(refusal.value)
    assert config_check.check(config, [path], "x") == "medium"
    assert (
        config_check.check(config, [path.rpartition(".")[0] or path], "x") == "medium"
    )  # with all that lies under a path


def test_a_path_accepts_nothing_that_only_begins_like_it():
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
        (f"{DIT}.patch_size", 1),
        ("model.pretransform.config.decoder.config.conv_mapping", False),
        ("model.diffusion.distribution_shift_options.type", "full"),
    ],
)
def test_what_no_output_depends_on_may_be_said(path, value):
    assert config_check.check(changed(config_check.known("medium"), path, value), [], "x") == "medium"


def test_the_builder_s_widths_are_all_that_it_changes():
    assert config_check.check(checkpoints.small_widths(), checkpoints.NARROWED, "x") == "medium"
    for path in checkpoints.NARROWED:
        rest = [other for other in checkpoints.NARROWED if other != path]
        if path.rpartition(".")[2] in ("channels", "c_mults", "depth"):
            with pytest.raises(UserError, match=path):
                config_check.check(checkpoints.small_widths(), rest, "x")


def test_the_nearest_configuration_is_the_one_compared_with():
    config = changed(config_check.known("stability_small"), f"{DIT}.depth", 21)
    with pytest.raises(UserError, match=r"'stability_small' known here: .*config\.depth' is 21, not 20;"):
        config_check.check(config, [], "x")

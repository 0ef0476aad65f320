import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from stable_audio_tools.models.conditioners import T5GemmaConditioner

from eisbach.adapters.merged import merged
from eisbach.adapters.paired import PairedAdapters
from eisbach.errors import UserError
from eisbach.models import hub, released
from eisbach.models.conditioning import dit_inputs
from tests import checkpoints

PROMPTS = ["two flutes, slow", "a march for brass that grows louder"]


def load(folder, **given):
    return released.load(folder, **{"accept": checkpoints.NARROWED} | given)


def draws():
    """Noisy latents of two clips, and their t."""
    generator = torch.Generator().manual_seed(3)
    noisy = torch.randn(2, checkpoints.CHANNELS, 20, generator=generator)
    return noisy, torch.tensor([0.2, 0.9])


def velocity(model, noisy, t):
    states, mask = model.conditioner.conditioners["prompt"].states(PROMPTS)
    inputs = dit_inputs(model, states, mask, torch.tensor([3.0, 47.0]), noisy.shape[-1])
    with torch.no_grad():
        return model.model(noisy, t, **inputs, use_checkpointing=False)


def test_the_tensors_equal_those_that_stability_s_factory_loads(released_model, theirs):
    ours = released_model.state_dict()
    assert ours.keys() == theirs.state_dict().keys()
    assert all(torch.equal(tensor, ours[name]) for name, tensor in theirs.state_dict().items())


def test_the_velocity_equals_that_of_stability_s_model_bit_for_bit(released_model, theirs):
    assert isinstance(theirs.conditioner.conditioners["prompt"], T5GemmaConditioner)
    noisy, t = draws()
    conditions = theirs.conditioner(
        [{"prompt": text, "seconds_total": seconds} for text, seconds in zip(PROMPTS, (3.0, 47.0), strict=True)], "cpu"
    )
    conditions["inpaint_mask"] = [torch.zeros(2, 1, 20)]
    conditions["inpaint_masked_input"] = [torch.zeros(2, checkpoints.CHANNELS, 20)]
    with torch.no_grad():
        wanted = theirs(noisy, t, conditions, use_checkpointing=False)
    assert torch.equal(velocity(released_model, noisy, t), wanted)


def within(address, file):
    """Whether an address of this process lies in a mapping of `file`."""
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(str(file))]
    spans = [[int(end, 16) for end in line[0].split("-")] for line in lines]
    return any(low <= address < high for low, high in spans)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux lists which addresses map a file")
def test_every_parameter_is_mapped_from_the_file(folder):
    parameters = [tensor for tensor in load(folder).parameters() if tensor.numel()]
    assert len(parameters) > 100
    assert all(within(tensor.data_ptr(), folder / hub.WEIGHTS) for tensor in parameters)


def test_merging_an_adapter_writes_nothing_to_the_file(folder):
    before = (folder / hub.WEIGHTS).read_bytes()
    model = load(folder)
    adapters = PairedAdapters(model.model.model, ["a"], "dora", 2, 2.0)
    with torch.no_grad():
        for parameter in adapters.parameters("a").values():
            parameter.add_(0.1)
    noisy, t = draws()
    plain = velocity(model, noisy, t)
    with merged(adapters, "a"):
        assert not torch.equal(velocity(model, noisy, t), plain)
    assert torch.equal(velocity(model, noisy, t), plain)
    assert (folder / hub.WEIGHTS).read_bytes() == before


def test_a_bf16_dit_returns_nearly_the_same_velocity_in_fp32(folder, released_model):
    model = load(folder, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.model.parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in model.pretransform.parameters()} == {torch.float32}
    noisy, t = draws()
    output, wanted = velocity(model, noisy, t), velocity(released_model, noisy, t)
    assert output.dtype == torch.float32
    assert (output - wanted).norm() < 0.05 * wanted.norm()


def test_an_adapter_smaller_than_a_bf16_weight_s_rounding_still_changes_the_output(folder):
    """Half a unit in the last place of a bf16 weight is 1/512 of it: merging would round this adapter away."""
    model = load(folder, dtype=torch.bfloat16)
    adapters = PairedAdapters(model.model.model, ["a"], "dora", 2, 2.0)
    noisy, t = draws()
    base = velocity(model, noisy, t)
    with torch.no_grad():
        for layer in adapters.layers.values():
            layer.lora_magnitude_vector[0].mul_(1 + 1 / 600)
    with merged(adapters, "a"):
        assert (velocity(model, noisy, t) - base).norm() > 1e-3 * base.norm()


def test_a_merged_arm_of_a_bf16_base_is_active_in_every_thread(folder):
    model = load(folder, dtype=torch.bfloat16)
    adapters = PairedAdapters(model.model.model, ["one", "two"], "dora", 2, 2.0)
    with torch.no_grad():
        for arm, scale in (("one", 0.1), ("two", 0.3)):
            for parameter in adapters.parameters(arm).values():
                parameter.mul_(1 + scale)
    noisy, t = draws()
    with torch.no_grad():
        found = {}
        for arm in ("one", "two"):
            adapters.activate(arm)
            wanted = velocity(model, noisy, t)
            with merged(adapters, arm), ThreadPoolExecutor(2) as pool:
                found[arm] = list(pool.map(lambda _: velocity(model, noisy, t), range(2)))
            assert all(torch.equal(output, wanted) for output in found[arm])
    assert not torch.equal(found["one"][0], found["two"][0])


def test_a_model_of_another_size_has_the_regime_other(released_model):
    assert released_model.regime == "other"


def edited(folder, change):
    state = load_file(folder / hub.WEIGHTS)
    change(state)
    save_file(state, folder / hub.WEIGHTS)


FIRST = "model.model.transformer.project_in.weight"


def rename(state):
    state["model.stranger"] = state.pop(FIRST)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop(FIRST), f"'{FIRST}' is missing (1 tensors)"),
        (rename, f"'{FIRST}' is missing (2 tensors)"),
        (lambda state: state.update(odd=torch.ones(1)), "'odd' belongs to no part of the model"),
        (lambda state: state.update({FIRST: state[FIRST][:, :3].clone()}), f"'{FIRST}' is (128, 3), not (128, 8)"),
        (lambda state: state.pop("conditioner.conditioners.prompt.padding_embedding"), "padding_embedding' is missing"),
    ],
)
def test_tensors_that_do_not_fit_are_named(folder, change, said):
    edited(folder, change)
    with pytest.raises(UserError) as refusal:
        load(folder)
    assert said in str(refusal.value)


def test_weights_in_half_precision_are_read(folder, released_model):
    save_file({name: tensor.half() for name, tensor in load_file(folder / hub.WEIGHTS).items()}, folder / hub.WEIGHTS)
    model = load(folder)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    torch.testing.assert_close(model.state_dict(), released_model.state_dict(), rtol=1e-3, atol=1e-3)


def replace_by_pickle(folder):
    (folder / hub.WEIGHTS).write_bytes(pickle.dumps({"state_dict": {}}))


def leave_only_a_pickle(folder):
    (folder / hub.WEIGHTS).rename(folder / "model.ckpt")


def cut_short(folder):
    content = (folder / hub.WEIGHTS).read_bytes()
    (folder / hub.WEIGHTS).write_bytes(content[: len(content) // 2])


def spoil_config(folder):
    (folder / hub.CONFIG).write_text("{")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (replace_by_pickle, "is not a safetensors file"),
        (leave_only_a_pickle, "model.ckpt is a pickle, which could run arbitrary code when opened"),
        (cut_short, "is not a safetensors file"),
        (spoil_config, "is not a model's configuration"),
        (lambda folder: (folder / hub.CONFIG).write_text("[]"), "is not a model's configuration"),
        (lambda folder: (folder / hub.CONFIG).write_text('{"model": 3}'), "'model' is not an object"),
        (lambda folder: (folder / hub.CONFIG).unlink(), "model_config.json is missing"),
        (lambda folder: (folder / hub.WEIGHTS).unlink(), "model.safetensors is missing"),
    ],
)
def test_a_broken_checkpoint_is_refused_in_one_sentence(folder, break_it, said):
    break_it(folder)
    with pytest.raises(UserError) as refusal:
        load(folder)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_changed_configuration_is_refused_before_the_weights_are_read(folder):
    (folder / hub.WEIGHTS).write_bytes(b"")
    with pytest.raises(UserError, match=r"model\.diffusion\.config\.embed_dim' is 128, not 1536"):
        load(folder, accept=())


def test_an_accepted_configuration_that_cannot_be_built_is_refused(folder):
    config = json.loads((folder / hub.CONFIG).read_text())
    config["model"]["diffusion"]["config"]["timestep_cond_type"] = "input_concat"
    (folder / hub.CONFIG).write_text(json.dumps(config))
    with pytest.raises(UserError, match="stable-audio-tools cannot build the model"):
        load(folder, accept=[*checkpoints.NARROWED, "model.diffusion.config.timestep_cond_type"])


def test_the_given_hash_must_be_that_of_the_weights(folder):
    right = hub.sha256(folder / hub.WEIGHTS)
    load(folder, sha256=right)
    with pytest.raises(UserError, match=f"has SHA-256 {right}, not 00; fetch it again"):
        load(folder, sha256="00")

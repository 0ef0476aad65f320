"""`eisbach weigh`: its readers against numpy's and safetensors', its numbers against simulation, its sentences."""

import json
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eisbach import cli
from eisbach.barrier import barrier_weight, factor_of_weight
from eisbach.errors import UserError
from eisbach.weigh import labels, latents, measure, text
from eisbach.weigh.tensor_files import stored

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def weigh(*words) -> None:
    cli.main(["weigh", *map(str, words)])


def facts_of(capsys, tmp_path, *words) -> tuple[dict, list[str]]:
    weigh(*words, "--json", tmp_path / "facts.json")
    return json.loads((tmp_path / "facts.json").read_text()), capsys.readouterr().out.splitlines()


# Files


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.sampled_from(["f2", "f4", "f8"]), st.sampled_from([(1, 0), (2, 0), (3, 0)]), SEEDS)
def test_npy_rows_are_numpy_s(tmp_path_factory, shape, kind, version, seed):
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    array = np.random.default_rng(seed).standard_normal(shape).astype(kind)
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, version)
    (one,) = stored(path)
    first = seed % shape[0]
    assert torch.equal(one.rows(first, shape[0] - first), torch.from_numpy(array[first:]))


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool]), SEEDS)
def test_safetensors_rows_are_safetensors_(tmp_path_factory, shape, dtype, seed):
    path = tmp_path_factory.mktemp("safetensors") / "a.safetensors"
    tensors = {"a": noise(3, dtype=torch.float16), "b": noise(*shape, seed=seed, dtype=dtype), "c": noise(2)}
    safetensors.torch.save_file(tensors, path, metadata={"x": "y"})
    found = {one.name: one for one in stored(path)}
    assert found.keys() == tensors.keys()
    first = seed % shape[0]
    assert torch.equal(found["b"].rows(first, shape[0] - first), tensors["b"][first:])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_dtype_gives_the_barrier_s_weights(tmp_path, dtype, monkeypatch):
    monkeypatch.setattr(latents, "PIECE", 3 * 4 * 9)  # three latents a piece
    array = noise(10, 4, 9, dtype=dtype)
    safetensors.torch.save_file({"x": array}, tmp_path / "a.safetensors")
    found = measure.weigh(latents.pieces(tmp_path / "a.safetensors"))
    torch.testing.assert_close(found.weight.float(), barrier_weight(array.double()).float())
    assert found.rms == pytest.approx(array.double().square().mean().sqrt().item())
    assert (found.channels, found.positions, found.dtype) == (4, 9, str(dtype).removeprefix("torch."))
    assert found.keys[-1] == "a.safetensors:x:9"


@pytest.fixture
def preencoded(tmp_path):
    """Stability's layout: NAME.npy [C, T], NAME.json with a padding mask, silence.npy; two subfolders."""
    root, expected = tmp_path / "latents", {}
    for index, length in enumerate([9, 5, 7, 12]):
        file = root / str(index % 2) / f"{index:010d}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        array = noise(4, length + 3, seed=index).numpy()
        array[:, length:] = math.nan  # padding is never read
        np.save(file, array)
        mask = [1] * length + [0] * 3
        file.with_suffix(".json").write_text(json.dumps({"padding_mask": mask, "prompt": "x"}))
        expected[file.relative_to(root).as_posix()] = barrier_weight(torch.from_numpy(array[None, :, :length])).item()
    np.save(root / "silence.npy", np.zeros((1, 4, 12), "float32"))
    return root, expected


def test_a_preencoded_folder_is_read_without_its_padding(preencoded):
    root, expected = preencoded
    found = measure.weigh(latents.pieces(root))
    assert dict(zip(found.keys, found.weight.tolist(), strict=True)) == pytest.approx(expected, rel=1e-6)
    assert found.positions == pytest.approx(33 / 4)


def test_the_pipeline_s_own_archive_is_read_with_its_mask(tmp_path, tiny_archive):
    from dataclasses import replace

    from eisbach.data.latents import save

    mask = tiny_archive.mask.clone()
    mask[::2, 8:] = False
    save(tmp_path / "archive.safetensors", replace(tiny_archive, mask=mask))
    found = measure.weigh(latents.pieces(tmp_path / "archive.safetensors"))
    torch.testing.assert_close(found.weight.float(), barrier_weight(tiny_archive.latents, mask))


def test_memory_does_not_grow_with_the_number_of_latents(tmp_path, monkeypatch):
    """Python's buffers hold the pieces that are read; torch only views them."""
    monkeypatch.setattr(latents, "PIECE", 2 * 8 * 512)
    peaks = []
    for count in (8, 256):
        np.save(tmp_path / "a.npy", noise(count, 8, 512).numpy())
        tracemalloc.start()
        measure.weigh(latents.pieces(tmp_path / "a.npy"))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + 200 * 256 < 256 * 8 * 512 * 4 / 4


# Faults: a sentence each


def write(kind, path):
    array = noise(3, 4, 9).numpy()
    if kind == "nan":
        array[1, 2, 3] = math.nan
    if kind == "inf":
        array[2, 0, 0] = math.inf
    if kind == "cut":
        np.save(path, array)
        path.write_bytes(path.read_bytes()[:-5])
        return
    if kind == "text":
        path.write_text("no array")
        return
    if kind == "pickled":
        np.save(path, np.array([{}], dtype=object), allow_pickle=True)
        return
    changed = {
        "int16": np.zeros((3, 4, 9), "int16"),
        "big-endian": array.astype(">f4"),
        "4-D": array[None],
        "1-D": array[0, 0],
        "empty": array[:0],
        "fortran": np.asfortranarray(array),
    }
    np.save(path, changed.get(kind, array))


FAULTS = {
    "nan": r"the latents a.npy:1 hold NaN or inf; encode them again",
    "inf": r"the latents a.npy:2 hold NaN or inf",
    "cut": r"a.npy is cut short: it ends before row 3",
    "text": r"a.npy is not a npy file or is damaged",
    "pickled": r"a.npy holds \|O; latents are float16",
    "int16": r"a.npy holds <i2; latents are float16.*not audio or tokens",
    "big-endian": r"a.npy holds >f4",
    "4-D": r"shape \[1, 3, 4, 9\]; latents are \[N, C, T\] or \[C, T\]",
    "1-D": r"shape \[9\]",
    "empty": r"shape \[0, 4, 9\]",
    "fortran": r"Fortran order; save numpy.ascontiguousarray",
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_faulty_file_gets_one_sentence(tmp_path, kind):
    write(kind, tmp_path / "a.npy")
    with pytest.raises(SystemExit, match=FAULTS[kind]) as error:
        weigh(tmp_path / "a.npy")
    assert str(error.value).startswith("error: ")
    assert "\n" not in str(error.value)


def test_other_faults_get_one_sentence_each(tmp_path):
    empty, mixed, masked, named = (tmp_path / name for name in ("empty", "mixed", "masked", "named"))
    for folder in (empty, mixed, masked, named):
        folder.mkdir()
    np.save(mixed / "a.npy", noise(4, 9).numpy())
    np.save(mixed / "b.npy", noise(5, 9).numpy())
    np.save(masked / "a.npy", noise(4, 9).numpy())
    (masked / "a.json").write_text('{"padding_mask": [0, 0, 0, 0, 0, 0, 0, 0, 0]}')
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    safetensors.torch.save_file({"x": torch.ones(2, 3, 4, dtype=torch.int64)}, tmp_path / "a.safetensors")
    (tmp_path / "header.safetensors").write_bytes(b"\xff" * 20)
    np.save(tmp_path / "good.npy", noise(3, 4, 9).numpy())
    (tmp_path / "labels.csv").write_text("file,label\nnothing,flat\n")
    (tmp_path / "two.csv").write_text("file,label\n0,flat\n0,contrast\n")
    (tmp_path / "one.csv").write_text("row,label\n0,flat\n1,flat\n")
    (tmp_path / "short.json").write_text("{}")
    cases = {
        (tmp_path / "missing",): "does not exist",
        (empty,): "holds no .npy or .safetensors file",
        (mixed,): "has 5 channels, the files before it 4",
        (masked,): "the mask of a.npy has no valid position",
        (tmp_path / "a.wav",): "is neither .npy nor .safetensors",
        (tmp_path / "a.safetensors",): "holds I64; latents are float16",
        (tmp_path / "header.safetensors",): "is damaged",
        (): "nothing to weigh",
        (tmp_path / "good.npy", "--labels", tmp_path / "labels.csv"): "labels none of the latents.*'good.npy:0'",
        (tmp_path / "good.npy", "--labels", tmp_path / "two.csv"): "line 3: '0' has the labels 'flat' and 'contrast'",
        (tmp_path / "good.npy", "--labels", tmp_path / "one.csv"): "two classes of at least two samples.*flat: 2",
        (tmp_path / "good.npy", "--labels", tmp_path / "none.csv"): "cannot be read as CSV",
        (tmp_path / "good.npy", "--classes", "a", "b"): "--classes needs --labels",
        (tmp_path / "good.npy", "--picture", tmp_path / "a.pdf"): "a picture is .svg or .png",
    }
    for words, sentence in cases.items():
        with pytest.raises(SystemExit, match=sentence) as error:
            weigh(*words)
        assert str(error.value).count("\n") == 0


@pytest.mark.parametrize("description", ["[]", "no json", '{"padding_mask": "x"}', '{"padding_mask": [1, 1]}'])
def test_a_padding_mask_that_does_not_fit_is_refused(tmp_path, description):
    np.save(tmp_path / "a.npy", noise(4, 9).numpy())
    (tmp_path / "a.json").write_text(description)
    with pytest.raises(UserError, match=r"a\.json"):
        measure.weigh(latents.pieces(tmp_path))


@pytest.mark.parametrize("lam", ["-0.1", "1.5", "x"])
def test_lambda_is_a_number_between_0_and_1(capsys, lam):
    with pytest.raises(SystemExit):
        weigh("a.npy", f"--lambda={lam}")
    assert "--lambda" in capsys.readouterr().err


# Numbers


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 40), st.floats(0.01, 1), SEEDS)
def test_the_share_of_two_equal_classes_is_spread_times_correlation_and_at_most_the_spread(half, lam, seed):
    weight = torch.rand(2 * half, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    names = ["a", "b"] * half
    found = measure.contrast(weight, names, lam)
    factor = factor_of_weight(weight, lam)
    spread = (factor.std(unbiased=False) / factor.mean()).item()
    assert found.share == pytest.approx(spread * found.correlation, rel=1e-9, abs=1e-12)
    assert 0 <= found.share <= spread + 1e-12
    assert spread <= measure.statistics(weight, lam)["factor_coefficient_of_variation"]


@settings(max_examples=40, deadline=None)
@given(st.integers(6, 30), st.floats(0.001, 0.05), st.floats(-1, 1), SEEDS)
def test_a_fit_moves_by_the_share_of_what_a_full_curriculum_moves_it(half, lam, slope, seed):
    """Weighted least squares, two classes with different targets on the same inputs: solved, not linearised.

    The full curriculum, weights 0 and 2, fits the higher class alone.
    """
    weight = torch.rand(2 * half, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    kind = torch.tensor([-1.0, 1.0], dtype=torch.float64).repeat(half)
    weight = weight + 0.5 * (kind > 0)
    found = measure.contrast(weight, ["low", "high"] * half, lam)
    assume(found.high == "high")
    inputs = noise(2, half, seed=seed, dtype=torch.float64).repeat_interleave(2, 1).reshape(2, 2 * half)
    targets = slope * inputs[0] + 3 * kind + inputs[1] * kind

    def fit(weights):
        design = torch.cat([torch.ones(1, 2 * half, dtype=torch.float64), inputs])
        return torch.linalg.solve((design * weights) @ design.T + 1e-9 * torch.eye(3), (design * weights) @ targets)

    factor = factor_of_weight(weight, lam)
    means = torch.where(kind > 0, factor[kind > 0].mean(), factor[kind < 0].mean())  # the rest of d is neglected
    full = fit(1 + kind) - fit(torch.ones_like(kind))
    moved = fit(means) - fit(torch.ones_like(kind))
    torch.testing.assert_close(moved, found.share * full, rtol=1e-3, atol=1e-6)


def test_adamw_ignores_the_mean_of_the_factor():
    """Eps apart: a constant factor leaves every step where it was."""

    def trained(factor):
        values = torch.nn.Parameter(noise(6, dtype=torch.float64))
        optimizer = torch.optim.AdamW([values], lr=1e-2, eps=1e-16)
        for step in range(20):
            optimizer.zero_grad()
            (factor * (values - noise(6, seed=step, dtype=torch.float64)).square().mean()).backward()
            optimizer.step()
        return values.detach()

    torch.testing.assert_close(trained(0.58), trained(1.0), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("channels", "positions"), [(8, 108), (64, 108), (64, 1292), (256, 108), (256, 1292)])
@pytest.mark.parametrize("rms", [0.5, 1.0, 1.5])
def test_white_noise_has_the_weight_of_its_closed_form(channels, positions, rms):
    """For a = 2 rms^2 / C up to 0.5; beyond, rare positions dominate and clips are too short for the limit."""
    if 2 * rms**2 / channels > 0.5:
        pytest.skip("outside the range of the closed form")
    outputs = rms * noise(64, channels, positions, seed=1)
    wanted = measure.white_noise_weight(channels, positions, rms)
    assert barrier_weight(outputs).mean().item() == pytest.approx(wanted, rel=0.02)


@settings(max_examples=60, deadline=None)
@given(st.integers(16, 1024), st.integers(16, 5000))
def test_the_weight_at_t_1_is_white_noise_to_second_order(channels, positions):
    """K = 1/C + 8/(3 C^2) + 6/C^3 + ...: from C = 16 on log K is off by less than 4/C, and 1/w by the same."""
    exact, second = measure.white_noise_weight(channels, positions), measure.weight_at_one(channels, positions)
    assert 0 < 1 / second - 1 / exact < 4 / channels


def test_references_that_are_not_defined_are_nan():
    assert math.isnan(measure.white_noise_weight(2, 108, 1.0))  # the cumulants diverge at a = 1
    assert math.isnan(measure.weight_at_one(1, 2))
    assert measure.white_noise_weight(8, 1) == 1  # a single position: weight 1 by convention


# The command


@pytest.fixture
def corpus(tmp_path):
    """40 latents: every other one swells in the middle."""
    array = noise(40, 16, 60, dtype=torch.float64)
    array[1::2, :, 20:30] *= 2
    np.save(tmp_path / "a.npy", array.numpy().astype("float16"))
    rows = [f"{row},{'contrast' if row % 2 else 'flat'}" for row in range(40)]
    (tmp_path / "labels.csv").write_text("\n".join(["row,label", *rows]))
    return tmp_path / "a.npy", tmp_path / "labels.csv", array.half()


def test_ten_lines_say_what_to_expect(corpus, capsys, tmp_path):
    path, table, array = corpus
    facts, printed = facts_of(capsys, tmp_path, path, "--labels", table)
    assert len(printed) <= 10
    weight = barrier_weight(array)
    factor = factor_of_weight(weight.double(), 0.5)
    spread = (factor.std() / factor.mean()).item()
    assert facts["mean_w"] == pytest.approx(weight.mean().item(), rel=1e-6)
    assert facts["factor_coefficient_of_variation"] == pytest.approx(spread, rel=1e-6)
    assert facts["contrast"]["weight_ratio"] == pytest.approx((weight[1::2].mean() / weight[::2].mean()).item())
    assert (facts["contrast"]["low"], facts["contrast"]["high"]) == ("flat", "contrast")
    assert printed[-1].startswith(
        f"at lambda 0.5 the factor varies by {100 * spread:.2g} % at t = 0; AdamW ignores its "
    )
    assert "expect less than" in printed[-1]


def test_without_labels_the_bound_is_the_spread_and_printed_no_smaller(corpus, capsys, tmp_path):
    facts, printed = facts_of(capsys, tmp_path, corpus[0], "--lambda", "0.3")
    assert facts["most_of_a_full_curriculum"] == facts["factor_coefficient_of_variation"]
    said = float(printed[-1].split("less than ")[1].split(" %")[0]) / 100
    assert facts["spread"] <= said <= 1.1 * facts["spread"]
    assert facts["contrast"] is None


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_same_command_twice_gives_the_same_bytes(corpus, tmp_path, suffix):
    path, table, _ = corpus
    for name in ("one", "two"):
        weigh(path, "--labels", table, "--json", tmp_path / f"{name}.json", "--picture", tmp_path / f"{name}{suffix}")
    for end in (".json", suffix):
        assert (tmp_path / f"one{end}").read_bytes() == (tmp_path / f"two{end}").read_bytes()


@pytest.mark.parametrize("count", [1, 2])
def test_few_latents_are_weighed_too(tmp_path, capsys, count):
    np.save(tmp_path / "a.npy", noise(count, 4, 9).numpy())
    facts, printed = facts_of(capsys, tmp_path, tmp_path / "a.npy")
    assert (facts["spread"] is None) == (count == 1)
    assert ("no spread" in printed[-1]) == (count == 1)


def test_flat_latents_have_weight_0(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.ones((3, 4, 9), "float32"))
    facts, printed = facts_of(capsys, tmp_path, tmp_path / "a.npy")
    assert facts["mean_w"] == 0
    assert len(printed) <= 10


def test_files_are_labelled_by_path_name_or_stem(preencoded):
    keys = sorted(preencoded[1])
    for column in ([*keys], [Path(key).name for key in keys], [Path(key).stem for key in keys]):
        assert labels.of_keys(keys, dict(zip(column, "abcd", strict=True)), Path("x")) == list("abcd")


def test_a_model_is_weighed_as_the_census_does(tmp_path, monkeypatch, tiny_archive, tiny_model, capsys):
    from dataclasses import replace

    from eisbach.data.latents import save
    from eisbach.inference import weight_stats
    from eisbach.metrics import loss_by_t
    from eisbach.pipeline.stages import loading
    from tests.settings import PARAMS

    classes = tiny_archive.clips.assign(contrast_class=["flat", "contrast"] * 12)
    tiny_archive = replace(tiny_archive, clips=classes)
    save(tmp_path / "archive.safetensors", tiny_archive)
    monkeypatch.setattr(loading, "base", lambda settings: tiny_model)
    facts, printed = facts_of(capsys, tmp_path, "--model", tmp_path / "archive.safetensors")
    heldout, times = tiny_archive.split("heldout"), loss_by_t.times(PARAMS.census.times_per_tenth)
    table = weight_stats.measure_grid(tiny_model, heldout, times, 0.5, PARAMS.census.seed)
    wanted = weight_stats.summary(table)
    for name in wanted.keys() & facts.keys():
        assert facts[name] == pytest.approx(wanted[name], rel=2e-5)
    assert facts["spread"] == facts["factor_coefficient_of_variation_at_one_t"]
    ratio = facts["contrast"]["weight_ratio"]
    ratio = ratio if facts["contrast"]["high"] == "contrast" else 1 / ratio
    assert ratio == pytest.approx(wanted["w_contrast_over_flat"], rel=1e-4)
    assert len(printed) <= 10
    assert "at one t" in printed[-1]


def test_a_bound_is_rounded_up():
    assert [text._percent(value, upwards=True) for value in (0.0, 0.00911, 0.1, 0.0101)] == [
        "0 %",
        "0.92 %",
        "10 %",
        "1.1 %",
    ]

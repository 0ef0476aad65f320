"""Files that `eisbach weigh` reads, against numpy's and safetensors' readers, and a sentence for each fault."""

import json
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eisbach.barrier import barrier_weight
from eisbach.errors import UserError
from eisbach.weigh import labels, latents, measure
from eisbach.weigh.tensor_files import stored
from tests.eisbach.weigh.command import noise, weigh

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


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


def test_files_are_labelled_by_path_name_or_stem(preencoded):
    keys = sorted(preencoded[1])
    for column in ([*keys], [Path(key).name for key in keys], [Path(key).stem for key in keys]):
        assert labels.of_keys(keys, dict(zip(column, "abcd", strict=True)), Path("x")) == list("abcd")

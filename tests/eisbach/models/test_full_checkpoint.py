"""Loading all tensors of Medium's and Small's full shapes from sparse files of the released size."""

import copy
import json
import resource
import struct
import time

import pytest
import torch
from stable_audio_tools.models.factory import create_model_from_config

from eisbach.models import config_check, hub, released

RELEASED_BYTES = 9_222_116_660  # as published; the length of the header depends on the writer


def write_sparse(folder, name):
    """Write `model_config.json`, and a sparse safetensors file of zeros that takes no disk space."""
    folder.mkdir()
    config = config_check.known(name)
    (folder / hub.CONFIG).write_text(json.dumps(config))
    config = copy.deepcopy(config)
    config["model"]["conditioning"]["configs"].pop(0)
    with torch.device("meta"):
        model = create_model_from_config(config)
    shapes = {key: list(tensor.shape) for key, tensor in model.state_dict().items()}
    shapes["conditioner.conditioners.prompt.padding_embedding"] = [768]
    header, offset = {}, 0
    for key, shape in shapes.items():
        size = 4 * torch.Size(shape).numel()
        header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with open(folder / hub.WEIGHTS, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + offset)
    return len(shapes)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "tensors"), [("medium", 997), ("stability_small", 685)])
def test_the_full_shape_loads_without_reading_the_tensors(tmp_path, capsys, name, tensors):
    assert write_sparse(tmp_path / "base", name) == tensors
    if name == "medium":
        assert (tmp_path / "base" / hub.WEIGHTS).stat().st_size == pytest.approx(RELEASED_BYTES, rel=1e-4)
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = released.load(tmp_path / "base")
    spent = time.process_time() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    with capsys.disabled():
        print(f"\n{name}: {spent:.1f} CPU-s, {grown:.2f} GB")
    assert model.regime == name
    assert sum(parameter.numel() for parameter in model.model.parameters()) > 4e8
    assert grown < 1

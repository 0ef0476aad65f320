import pytest
import torch

from eisbach.errors import UserError
from eisbach.training import checkpoint


def trained(steps, resume_at=None, path=None):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(3, 3))
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    for step in range(steps):
        if step == resume_at:
            checkpoint.save(path, {"w": weight, **checkpoint.optimizer_tensors(optimizer, "o.")}, {"step": step})
            tensors, facts = checkpoint.load(path)
            assert facts == {"step": step}
            weight = torch.nn.Parameter(tensors["w"])
            optimizer = torch.optim.AdamW([weight], lr=0.1)
            checkpoint.restore_optimizer(optimizer, tensors, "o.")
        optimizer.zero_grad()
        (weight - step).square().sum().backward()
        optimizer.step()
    return weight


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path):
    assert torch.equal(trained(9), trained(9, 4, tmp_path / "state.safetensors"))


def test_a_missing_checkpoint_is_none(tmp_path):
    assert checkpoint.load(tmp_path / "none") is None


def test_a_damaged_checkpoint_is_named(tmp_path):
    path = tmp_path / "state.safetensors"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match=r"state\.safetensors is damaged"):
        checkpoint.load(path)


def test_equal_settings_are_accepted():
    checkpoint.same_config({"config": {"lr": 1, "betas": [1, 2]}}, {"betas": (1, 2), "lr": 1}, "x")


def test_other_settings_are_refused_by_key():
    with pytest.raises(UserError, match=r"x was started with other settings \(lr: 1 -> 3\)"):
        checkpoint.same_config({"config": {"lr": 1, "steps": 2}}, {"lr": 3, "steps": 2}, "x")

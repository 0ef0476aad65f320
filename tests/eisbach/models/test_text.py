import pytest
import torch

from eisbach.models.text import MiniLMConditioner, pooled


@pytest.fixture(scope="module")
def conditioner():
    torch.manual_seed(0)
    return MiniLMConditioner(max_length=16)


def test_padding_is_the_learned_embedding(conditioner):
    states, mask = conditioner(["a short caption", "a slow and quiet piece for string quartet in a minor key"])
    assert states.shape == (2, 16, 384)
    padding = states[~mask]
    assert len(padding) > 0
    assert torch.equal(padding, conditioner.padding_embedding.expand(len(padding), -1))
    assert not (states[mask] == conditioner.padding_embedding).all(-1).any()


def test_padding_cached_states_equals_running_the_conditioner(conditioner):
    captions = ["loud brass", "soft harp arpeggios"]
    assert torch.equal(conditioner.pad(*conditioner.states(captions)), conditioner(captions)[0])


def test_the_encoder_stays_out_of_checkpoints(conditioner):
    conditioner.states(["anything"])
    assert conditioner._encoder is not None
    assert set(conditioner.state_dict()) == {"padding_embedding"}


def test_pooled_embeddings_of_similar_captions_are_similar(conditioner):
    vectors = pooled(
        *conditioner.states(["a sad slow violin melody", "a mournful, slow violin tune", "loud fast drums"])
    )
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(3))
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_pooling_ignores_padding():
    states, mask = torch.randn(1, 4, 384), torch.tensor([[True, True, False, False]])
    other = states.clone()
    other[:, 2:] = 1e6
    assert torch.equal(pooled(states, mask), pooled(other, mask))

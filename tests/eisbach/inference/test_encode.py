import numpy as np
import pytest
import torch

from eisbach.data.clips import Encoded
from eisbach.errors import UserError
from eisbach.inference.encode import encode, reconstruction_db


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    return [(f"clip-{index}", (0.1 * rng.standard_normal((2, 3 * 4096))).astype("float32")) for index in range(3)]


@pytest.fixture
def manifest():
    return [
        {"clip_id": f"clip-{index}", "caption": f"caption {index}", "split": "base", "seconds": 3 * 4096 / 44100}
        for index in range(3)
    ]


def test_rows_belong_to_their_clips(tiny_model, clips, manifest):
    archive = encode(tiny_model, clips, manifest, batch=2)
    assert archive.latents.shape == (3, 6, 3)
    assert archive.states.shape == (3, 80, 384)
    for row, (_, audio) in enumerate(clips):
        assert torch.equal(archive.latents[row], tiny_model.pretransform.encode(torch.from_numpy(audio)[None])[0])
    assert archive.clips["clip_id"].tolist() == [clip_id for clip_id, _ in clips]


def test_a_shorter_clip_is_padded_with_silence_outside_its_mask(tiny_model, clips, manifest):
    short = clips[1][1][:, : 4096 + 1]
    clips[1], manifest[1]["seconds"] = ("clip-1", short), 4097 / 44100
    archive = encode(tiny_model, clips, manifest)
    assert archive.mask.tolist() == [[True] * 3, [True, True, False], [True] * 3]
    padded = np.concatenate([short, np.zeros((2, 2 * 4096 - 1), "float32")], axis=1)
    assert torch.equal(archive.latents[1], tiny_model.pretransform.encode(torch.from_numpy(padded)[None])[0])


def test_a_clip_of_another_length_than_the_manifest_says_is_refused(tiny_model, clips, manifest):
    clips[2] = ("clip-2", clips[2][1][:, 1:])
    with pytest.raises(ValueError, match="clip-2 has 12287 samples where the manifest has 12288"):
        encode(tiny_model, clips, manifest)


def test_a_clip_out_of_order_is_refused(tiny_model, clips, manifest):
    with pytest.raises(ValueError, match="clip-2 stands where the manifest has clip-0"):
        encode(tiny_model, clips[::-1], manifest)


def test_phases_cost_more_than_the_projection_alone(clips):
    from eisbach.models.codec import MelPatchCodec

    codec = MelPatchCodec(32, mels=16)
    audio = clips[0][1]
    codec.fit([codec.log_mel(torch.from_numpy(audio)[None])] * 2)
    assert 0 <= reconstruction_db(codec, audio, phases=False) < reconstruction_db(codec, audio, phases=True)


def test_clips_that_came_as_latents_give_the_archive_of_their_sound(tiny_model, clips, manifest):
    manifest[1]["seconds"], clips[1] = 4097 / 44100, ("clip-1", clips[1][1][:, :4097])
    whole = encode(tiny_model, clips, manifest)
    came = [
        (clip_id, Encoded(whole.latents[row][:, whole.mask[row]].numpy())) for row, (clip_id, _) in enumerate(clips)
    ]
    again = encode(tiny_model, came, manifest)
    assert torch.equal(again.mask, whole.mask)
    assert torch.equal(again.latents[:, :, 0], whole.latents[:, :, 0])
    assert torch.equal(again.latents[0], whole.latents[0])
    silence = tiny_model.pretransform.encode(torch.zeros(1, 2, 3 * 4096))[0]
    assert torch.equal(again.latents[1][:, 2], silence[:, 2])


def test_latents_of_another_model_are_refused(tiny_model, manifest):
    with pytest.raises(UserError, match="clip-0 have 64 channels and the model has 6"):
        encode(tiny_model, [("clip-0", Encoded(np.zeros((64, 3), "float32")))], manifest[:1])


def test_states_beyond_half_precision_are_refused(tiny_model, clips, manifest, monkeypatch):
    prompt = tiny_model.conditioner.conditioners["prompt"]
    states, mask = prompt.states(["a"] * len(manifest))
    monkeypatch.setattr(prompt, "states", lambda captions: (1e5 + 0 * states, mask))
    with pytest.raises(UserError, match="too large for half precision"):
        encode(tiny_model, clips, manifest)

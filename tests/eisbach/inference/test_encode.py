import numpy as np
import pytest
import torch

from eisbach.data.clips import LatentClip
from eisbach.errors import UserError
from eisbach.inference.encode import encode, longer_captions, reconstruction_db


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


def test_each_row_has_the_latents_of_its_clip(tiny_model, clips, manifest):
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


def test_a_clip_whose_length_is_not_the_manifest_s_is_refused(tiny_model, clips, manifest):
    clips[2] = ("clip-2", clips[2][1][:, 1:])
    with pytest.raises(ValueError, match="clip-2 has 12287 samples where the manifest has 12288"):
        encode(tiny_model, clips, manifest)


def test_a_clip_out_of_order_is_refused(tiny_model, clips, manifest):
    with pytest.raises(ValueError, match="clip-2 is where the manifest has clip-0"):
        encode(tiny_model, clips[::-1], manifest)


def test_reconstruction_with_phases_has_a_larger_error(clips):
    from eisbach.models.codec import MelPatchCodec

    codec = MelPatchCodec(32, mels=16)
    audio = clips[0][1]
    codec.fit([codec.log_mel(torch.from_numpy(audio)[None])] * 2)
    assert 0 <= reconstruction_db(codec, audio, phases=False) < reconstruction_db(codec, audio, phases=True)


@pytest.fixture
def archives(tiny_model, clips, manifest):
    """The archive of three clips, the second shorter, and that of their latents without padding."""
    manifest[1]["seconds"], clips[1] = 4097 / 44100, ("clip-1", clips[1][1][:, :4097])
    of_audio = encode(tiny_model, clips, manifest)
    stored = [
        (clip_id, LatentClip(of_audio.latents[row][:, of_audio.mask[row]].numpy()))
        for row, (clip_id, _) in enumerate(clips)
    ]
    return of_audio, encode(tiny_model, stored, manifest)


def test_latent_clips_keep_their_latents_and_masks(archives):
    of_audio, of_latents = archives
    assert torch.equal(of_latents.mask, of_audio.mask)
    for row, mask in enumerate(of_audio.mask):
        assert torch.equal(of_latents.latents[row][:, mask], of_audio.latents[row][:, mask])


def test_latent_clips_are_padded_with_encoded_silence(archives, tiny_model):
    _, of_latents = archives
    silence = tiny_model.pretransform.encode(torch.zeros(1, 2, 3 * 4096))[0]
    assert torch.equal(of_latents.latents[1][:, 2], silence[:, 2])


def test_latents_of_another_model_are_refused(tiny_model, manifest):
    with pytest.raises(UserError, match="clip-0 have 64 channels and the model has 6"):
        encode(tiny_model, [("clip-0", LatentClip(np.zeros((64, 3), "float32")))], manifest[:1])


def test_states_beyond_half_precision_are_refused(tiny_model, clips, manifest, monkeypatch):
    prompt = tiny_model.conditioner.conditioners["prompt"]
    states, mask = prompt.states(["a"] * len(manifest))
    monkeypatch.setattr(prompt, "states", lambda captions: (1e5 + 0 * states, mask))
    with pytest.raises(UserError, match="too large for half precision"):
        encode(tiny_model, clips, manifest)


def test_captions_beyond_the_text_encoder_are_counted_and_those_at_its_end_are_not(tiny_model):
    encoder = tiny_model.conditioner.conditioners["prompt"]
    fitting = " ".join(["slow"] * (encoder.max_length - 2))  # the tokenizer adds two
    found = longer_captions(encoder, ["slow", fitting, f"{fitting} slow", f"{fitting} slow low strings"])
    assert found == {
        "captions_cut": 2,
        "longest_caption_tokens": encoder.max_length + 3,
        "caption_tokens_limit": encoder.max_length,
    }
    states, _ = encoder.states([f"{fitting} slow", fitting])
    assert torch.equal(states[0], states[1])

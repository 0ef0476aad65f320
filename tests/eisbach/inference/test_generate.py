import torch

from eisbach.inference.generate import generate, prompts


def test_prompts_span_the_contrast(tiny_archive):
    asked = prompts(tiny_archive, 3).clips["contrast"]
    everything = tiny_archive.clips["contrast"]
    assert asked.iloc[0] == everything.min()
    assert asked.iloc[-1] == everything.max()


def test_more_prompts_than_clips_is_every_clip(tiny_archive):
    assert len(prompts(tiny_archive, 1000)) == len(tiny_archive)


def test_the_same_noise_every_time(tiny_model, tiny_archive):
    asked = prompts(tiny_archive, 2)
    made = [generate(tiny_model, asked, 2, 3, 2.0, 0) for _ in range(2)]
    assert torch.equal(*made)
    assert not torch.equal(made[0], generate(tiny_model, asked, 2, 3, 2.0, 1))


def test_the_prompt_matters_more_with_guidance(tiny_model, tiny_archive):
    asked = prompts(tiny_archive, 2)
    assert not torch.equal(generate(tiny_model, asked, 1, 3, 1.0, 0), generate(tiny_model, asked, 1, 3, 4.0, 0))


def test_more_noises_leave_the_first_as_they_were_and_differ(tiny_model, tiny_archive):
    asked = prompts(tiny_archive, 2)
    few, many = (generate(tiny_model, asked, noises, 2, 2.0, 0) for noises in (1, 3))
    assert torch.equal(few[:, 0], many[:, 0])
    assert not torch.equal(many[:, 0], many[:, 1])

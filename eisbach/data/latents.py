"""The archive between `encode` and everything that trains: latents, text states and who they belong to."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from eisbach.errors import UserError
from eisbach.files import replacing
from eisbach.seeds import torch_generator


@dataclass(frozen=True)
class Latents:
    """N clips. Row i of every tensor belongs to row i of `clips` (the manifest's columns)."""

    clips: pd.DataFrame
    latents: Tensor  # [N, C, T] fp32, unit variance over the base split
    mask: Tensor  # [N, T] bool, true where a latent belongs to the clip; behind it there is silence
    states: Tensor  # [N, tokens, D] fp16, the text encoder's token states
    token_mask: Tensor  # [N, tokens] bool
    pooled: Tensor  # [N, D] fp32, sentence embeddings of unit length

    def __len__(self) -> int:
        return len(self.clips)

    def rows(self, index: Tensor) -> "Latents":
        return Latents(
            self.clips.iloc[index.tolist()].reset_index(drop=True),
            *(tensor[index] for tensor in (self.latents, self.mask, self.states, self.token_mask, self.pooled)),
        )

    def split(self, name: str) -> "Latents":
        """The clips of one split. Raises UserError when there are none."""
        index = torch.from_numpy((self.clips["split"] == name).to_numpy().nonzero()[0])
        if not len(index):
            raise UserError(f"the archive has no clips of split '{name}'; raise prepare.clips.{name} in params.yaml")
        return self.rows(index)

    def batch(self, size: int, seed: int, step: int) -> "Latents":
        """The clips of the batch at `step`, of similar length, cut to the longest of them."""
        rows = self.rows(order(len(self), size, seed, step, self.mask.sum(1)))
        longest = int(rows.mask.sum(1).max())
        return replace(rows, latents=rows.latents[..., :longest], mask=rows.mask[:, :longest])

    @property
    def seconds(self) -> Tensor:
        """[N] the lengths shown to the model."""
        return torch.tensor(self.clips["seconds"].to_numpy(), dtype=torch.float32)


def save(path: str | Path, archive: Latents) -> None:
    tensors = {"latents": archive.latents.float(), "states": archive.states.half(), "pooled": archive.pooled.float()}
    tensors |= {"mask": archive.mask.to(torch.uint8), "token_mask": archive.token_mask.to(torch.uint8)}
    metadata = {"clips": json.dumps(archive.clips.to_dict("list"))}
    with replacing(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, metadata=metadata)


def load(path: str | Path) -> Latents:
    """Raises UserError when the archive is missing or damaged."""
    try:
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            clips = pd.DataFrame(json.loads(file.metadata()["clips"]))
        mask, token_mask = tensors["mask"].bool(), tensors["token_mask"].bool()
        return Latents(clips, tensors["latents"], mask, tensors["states"], token_mask, tensors["pooled"])
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run `dvc repro encode` first") from None
    except (SafetensorError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}); delete it and run `dvc repro encode`") from error


BUCKET = 16  # latents: lengths within one such step count as equal


def order(count: int, batch: int, seed: int, step: int, lengths: Tensor | None = None) -> Tensor:
    """Rows of the batch at `step`: each epoch is a permutation of its own, derived from (seed, epoch).

    Depends on nothing but its arguments, so a resumed run needs no saved position. Batches never straddle epochs;
    the remainder of an epoch is left out, as `drop_last` does. With `lengths` [count] in latents, a batch comes from
    one bucket of lengths where it can: going through the permutation, each bucket gives a batch as soon as it has
    one, and what is left in the buckets at the end is put together.
    """
    if batch > count:
        raise UserError(f"a batch of {batch} needs at least as many clips, and there are {count}; lower the batch")
    per_epoch = count // batch
    epoch, place = divmod(step, per_epoch)
    permutation = torch.randperm(count, generator=torch_generator(seed, "order", epoch))
    if lengths is None:
        return permutation[place * batch : (place + 1) * batch]
    waiting: dict[int, list[int]] = {}
    batches: list[list[int]] = []
    for row, bucket in zip(permutation.tolist(), ((lengths - 1) // BUCKET)[permutation].tolist(), strict=True):
        waiting.setdefault(bucket, []).append(row)
        if len(waiting[bucket]) == batch:
            batches.append(waiting.pop(bucket))
    rest = [row for bucket in sorted(waiting) for row in waiting[bucket]]
    batches += [rest[start : start + batch] for start in range(0, len(rest), batch)]
    return torch.tensor(batches[place])

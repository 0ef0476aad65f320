"""The archive that `encode` writes and all later stages read: latents, text states and the clips they belong to.

Shapes: N clips, C channels, T latents, D text dimensions.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from eisbach.data.contrast import CLASSES
from eisbach.errors import UserError
from eisbach.pipeline import paths
from eisbach.pipeline.files import replacing
from eisbach.seeds import torch_generator

BUCKET = 16  # latents; clips whose lengths fall into the same bucket count as equally long


@dataclass(frozen=True)
class Latents:
    """N clips. Row i of every tensor belongs to row i of `clips` (the manifest's columns)."""

    clips: pd.DataFrame
    latents: Tensor  # [N, C, T] fp32, unit variance over the base split
    mask: Tensor  # [N, T] bool, false for padding with silence after the end of a clip
    states: Tensor  # [N, tokens, D] fp16, the text encoder's token states
    token_mask: Tensor  # [N, tokens] bool
    pooled: Tensor  # [N, D] fp32, sentence embeddings of unit length

    def __len__(self) -> int:
        return len(self.clips)

    def rows(self, index: Tensor) -> "Latents":
        """The clips at `index` [n], in its order."""
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
        """The `size` clips of the batch at `step`, of similar length, cut to the longest of them.

        Raises UserError when there are fewer than `size` clips.
        """
        rows = self.rows(batch_index(len(self), size, seed, step, self.mask.sum(1)))
        return rows.shortened(int(rows.mask.sum(1).max()))

    def shortened(self, length: int) -> "Latents":
        """The first `length` positions of each clip."""
        return replace(self, latents=self.latents[..., :length], mask=self.mask[:, :length])

    @property
    def seconds(self) -> Tensor:
        """[N] fp32, the lengths that the model is conditioned on."""
        return torch.tensor(self.clips["seconds"].to_numpy(), dtype=torch.float32)

    @property
    def labels(self) -> Tensor:
        """[N] int64, the contrast class of each clip as its index in `contrast.CLASSES`."""
        return torch.tensor([CLASSES.index(name) for name in self.clips["contrast_class"]], dtype=torch.int64)


def save(path: str | Path, archive: Latents) -> None:
    """Write a safetensors file with the clips' table as JSON in its metadata."""
    tensors = {"latents": archive.latents.float(), "states": archive.states.half(), "pooled": archive.pooled.float()}
    tensors |= {"mask": archive.mask.to(torch.uint8), "token_mask": archive.token_mask.to(torch.uint8)}
    metadata = {"clips": json.dumps(archive.clips.to_dict("list"))}
    with replacing(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, metadata=metadata)


def load(path: str | Path) -> Latents:
    """Read what `save` wrote. Raises UserError when the archive is missing or damaged."""
    try:
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            clips = pd.DataFrame(json.loads(file.metadata()["clips"]))
        mask, token_mask = tensors["mask"].bool(), tensors["token_mask"].bool()
        return Latents(clips, tensors["latents"], mask, tensors["states"], token_mask, tensors["pooled"])
    except FileNotFoundError:
        raise paths.missing(path) from None
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise paths.damaged(path, error) from error


def batch_index(count: int, batch: int, seed: int, step: int, lengths: Tensor | None = None) -> Tensor:
    """The indices [batch] into `count` clips of the batch at `step`. Raises UserError for a batch above `count`.

    Each epoch is a new permutation, derived from (seed, epoch), so a resumed run needs no saved position. Batches
    never span two epochs; the remainder of an epoch is dropped. With `lengths` [count] in latents, a batch has
    clips of one length bucket where possible: in the order of the permutation, a batch is formed whenever a bucket
    holds enough clips, and the clips left over at the end are joined across buckets.
    """
    if batch > count:
        raise UserError(f"a batch of {batch} needs at least as many clips, but there are {count}; lower the batch")
    per_epoch = count // batch
    epoch, index = divmod(step, per_epoch)
    permutation = torch.randperm(count, generator=torch_generator(seed, "order", epoch))
    if lengths is None:
        return permutation[index * batch : (index + 1) * batch]
    waiting: dict[int, list[int]] = {}
    batches: list[list[int]] = []
    for row, bucket in zip(permutation.tolist(), ((lengths - 1) // BUCKET)[permutation].tolist(), strict=True):
        waiting.setdefault(bucket, []).append(row)
        if len(waiting[bucket]) == batch:
            batches.append(waiting.pop(bucket))
    rest = [row for bucket in sorted(waiting) for row in waiting[bucket]]
    batches += [rest[start : start + batch] for start in range(0, len(rest), batch)]
    return torch.tensor(batches[index])

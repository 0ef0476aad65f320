"""A tiny diffusion transformer for many models at once: attention over positions, adaptive norms.

The blocks are those of DiT with adaLN-Zero (arXiv 2212.09748). A position is a token of C channels. Shift, scale and
gate of every norm are linear functions of an embedding of t and the label; the gates start at 0. Shapes and call are
those of `toy_models.networks`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, scaled_dot_product_attention, silu

from toy_models.networks import CONDITION, Weights, condition, corrected, layer, repeat_for_arms

EMBED = "told"  # layer that embeds t and the label; the name is part of the seed of its adapters' initial values


@dataclass(frozen=True)
class Dit:
    """`depth` blocks of attention and an MLP of twice the width. `width` must be a multiple of 2 `heads`."""

    channels: int
    positions: int
    width: int
    depth: int
    heads: int = 2

    def sizes(self) -> dict[str, tuple[int, int]]:
        """(in, out) of every layer, in order."""
        width = self.width
        sizes = {"first": (self.channels, width), EMBED: (CONDITION, width)}
        for block in range(self.depth):
            sizes |= {
                f"modulation{block}": (width, 6 * width),
                f"qkv{block}": (width, 3 * width),
                f"out{block}": (width, width),
                f"up{block}": (width, 2 * width),
                f"down{block}": (2 * width, width),
            }
        return {**sizes, "modulation": (width, 2 * width), "last": (width, self.channels)}

    def zero_init(self, name: str) -> bool:
        return name == "last" or name.startswith("modulation")

    def has_bias(self, name: str) -> bool:
        """False for queries, keys and values.

        Softmax ignores a key's bias, so its gradient is rounding error, from which AdamW makes full-size steps.
        """
        return not name.startswith("qkv")

    def __call__(self, weights: Weights, noisy: Tensor, t: Tensor, label: Tensor) -> Tensor:
        models = len(weights["first.weight"])
        tokens = repeat_for_arms(noisy.mT, models)
        hidden = _tokens(weights, "first", tokens) + position_features(self.positions, self.width)  # [M, B, T, width]
        embedding = silu(layer(weights, EMBED, repeat_for_arms(condition(t, label), models)))  # [M, B, width]
        for block in range(self.depth):
            parts = layer(weights, f"modulation{block}", embedding).unsqueeze(2).chunk(6, dim=3)
            hidden = hidden + parts[2] * self._attention(weights, block, _modulated(hidden, *parts[:2]))
            up = silu(_tokens(weights, f"up{block}", _modulated(hidden, *parts[3:5])))
            hidden = hidden + parts[5] * _tokens(weights, f"down{block}", up)
        shift, scale = layer(weights, "modulation", embedding).unsqueeze(2).chunk(2, dim=3)
        return corrected(noisy, t, _tokens(weights, "last", _modulated(hidden, shift, scale)).mT)

    def _attention(self, weights: Weights, block: int, hidden: Tensor) -> Tensor:
        heads = _tokens(weights, f"qkv{block}", hidden).unflatten(3, (3, self.heads, -1)).flatten(0, 1)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # [M * B, heads, T, width / heads] each
        mixed = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return _tokens(weights, f"out{block}", mixed.unflatten(0, hidden.shape[:2]))


def position_features(positions: int, width: int) -> Tensor:
    """Sines and cosines of the position, `[T, width]`: wavelengths 2 T, T, T / 2, ..."""
    position = (torch.arange(positions) + 0.5) / positions
    angle = torch.pi * position.unsqueeze(1) * 2.0 ** torch.arange(width // 2)
    return torch.cat([angle.cos(), angle.sin()], dim=1)


def _tokens(weights: Weights, name: str, tokens: Tensor) -> Tensor:
    """The linear layer `name` on tokens: `[M, B, T, in]` -> `[M, B, T, out]`."""
    return layer(weights, name, tokens.flatten(1, 2)).unflatten(1, tokens.shape[1:3])


def _modulated(hidden: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return layer_norm(hidden, hidden.shape[-1:]) * (1 + scale) + shift

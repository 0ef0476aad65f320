"""Pictures of tidy tables. Every function that draws one returns a `Picture`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """`svg` is safe markup, made by `svg.inline`; `alt` (the text alternative) and `caption` are plain text."""

    svg: str
    alt: str
    caption: str

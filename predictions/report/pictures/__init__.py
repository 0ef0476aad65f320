"""Pictures of tidy tables: each function returns a Picture, with a caption and with words for those who cannot see."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """`svg` is markup made here; `alt` and `caption` are plain text."""

    svg: str
    alt: str
    caption: str

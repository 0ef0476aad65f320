"""Pictures of tidy tables: each function takes a table and returns a Picture with its caption and words for the blind."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """`svg` is markup made here; `alt` and `caption` are plain text."""

    svg: str
    alt: str
    caption: str

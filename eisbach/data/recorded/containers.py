"""Losses that ffmpeg does not report, because the file around the audio hides them."""

import mmap
import os
import re
from pathlib import Path

HEADS = (  # (offset, bytes there, the part of the head that a second file of the same kind repeats)
    (0, b"RIFF", slice(8, 16)),
    (0, b"FORM", slice(8, 16)),
    (4, b"ftyp", slice(4, 12)),
    (0, b"TTA1", slice(0, 14)),
    (0, bytes.fromhex("3026b2758e66cf11"), slice(0, 16)),  # ASF
)
PAGE_HEAD, LAST_PAGE = 27, 4  # of Ogg: the bytes before a page's table of segments, the flag of a stream's last page


def present(path: Path) -> float | None:
    """The share of a WAV file's audio that is there, where its header claims more; else None."""
    import soundfile

    with path.open("rb") as file:
        if file.read(4) not in (b"RIFF", b"RIFX", b"RF64", b"riff"):
            return None
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:  # bytes, for names that are not UTF-8
            cut_off = re.search(r"data : (\d+) \(should be (\d+)\)", file.extra_info)
    except soundfile.LibsndfileError:
        return None
    claimed, there = map(int, cut_off.groups()) if cut_off else (0, 0)
    # A recording that was never closed claims about 2^32.
    return there / claimed if 0 < there + 1 < claimed < 2**32 - 256 else None


def hidden(path: Path) -> tuple[float, str]:
    """(share of a file's bytes that no decoder reads, why), or (0, why) where the share is unknown, or (0, "").

    Decoders read only the first of joined WAV, AIFF, MP4, ASF or TTA files, and take a truncated Ogg for a shorter one.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for offset, magic, part in HEADS:
            if content[offset : offset + len(magic)] == magic:
                second = content.find(content[part], part.stop) - part.start
                if second > 0:
                    return 1 - second / len(content), f"another file begins at byte {second}; split them"
        if content[:4] == b"OggS" and not _ends_with_a_last_page(content):
            return 0.0, "its last page is missing"
    return 0.0, ""


def _ends_with_a_last_page(content: mmap.mmap) -> bool:
    page = content.rfind(b"OggS")
    head = content[page : page + PAGE_HEAD]
    if len(head) < PAGE_HEAD:
        return False
    table = content[page + PAGE_HEAD : page + PAGE_HEAD + head[-1]]
    return bool(head[5] & LAST_PAGE) and page + PAGE_HEAD + len(table) + sum(table) <= len(content)

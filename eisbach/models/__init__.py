"""Models and their parts. Importing this package imports stable-audio-tools, which takes seconds and prints what
attention kernels it lacks; the print is held back here, once, for everybody."""

import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()):
    import stable_audio_tools.models.dit  # noqa: F401

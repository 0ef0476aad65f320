"""Models and their parts: `small` and `released` load them, `velocity` and `conditioning` call them.

`codec` and `text` are the small model's autoencoder and text encoder; `same` and `t5gemma` those of released
checkpoints, which `hub` locates and `config_check` and `tensor_check` verify.

Importing this package imports stable-audio-tools, which takes seconds and prints which attention kernels are missing;
that output is suppressed here, once for all importers.
"""

import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()):
    import stable_audio_tools.models.dit  # noqa: F401

"""Models and their parts: `small` and `released` load them, `velocity` and `conditioning` call them.

`codec` and `text` are the small model's autoencoder and text encoder; `same` and `t5gemma` those of released
checkpoints, which `hub` locates and `config_check` and `tensor_check` verify.

Importing this package imports stable-audio-tools (`library`), which takes seconds.
"""

from eisbach.models import library

library.load()

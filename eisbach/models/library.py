"""Import stable-audio-tools without the two things that take most of the time and that nobody here uses.

- Lightning: the library's `models.lora` imports it for two callbacks of its trainer. They are imported when somebody
  asks for them, which its trainer does not do.
- torch's compiler: the library compiles one attention kernel when it is imported. It is compiled at its first call.
  The library's settings of the compiler, which would turn a failed compilation into silence, are not made.

Its output on import, which names the attention kernels that are missing, is suppressed.
"""

import contextlib
import importlib
import io
import sys
from collections.abc import Callable
from functools import cache, wraps
from types import ModuleType, SimpleNamespace
from unittest.mock import patch

import torch

LORA = "stable_audio_tools.models.lora"
CALLBACKS = ("LoRASafetensorsCheckpoint", "StepOffsetCallback")


def load() -> None:
    """Import `stable_audio_tools.models.dit` and all that it needs; later imports of the library find it in memory."""
    if LORA in sys.modules:
        return
    callbacks = ModuleType(f"{LORA}.callbacks")
    vars(callbacks).update(dict.fromkeys(CALLBACKS))
    sys.modules[callbacks.__name__] = callbacks
    compiler = SimpleNamespace(config=SimpleNamespace(cache_size_limit=0))  # takes the library's settings
    if "torch._dynamo" not in sys.modules:
        torch._dynamo = compiler
    try:
        with contextlib.redirect_stdout(io.StringIO()), patch.object(torch, "compile", _compiled_when_called):
            importlib.import_module("stable_audio_tools.models.dit")
    finally:
        del sys.modules[callbacks.__name__]
        if vars(torch).get("_dynamo") is compiler:
            del torch._dynamo
    lora = sys.modules[LORA]
    for name in (*CALLBACKS, "callbacks"):
        vars(lora).pop(name, None)
    lora.__getattr__ = _of_callbacks


def _of_callbacks(name: str) -> object:
    if name not in CALLBACKS:
        raise AttributeError(f"module '{LORA}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{LORA}.callbacks"), name)


def _compiled_when_called(function: Callable, **settings) -> Callable:
    compiled = cache(lambda: torch.compile(function, **settings))
    return wraps(function)(lambda *given, **named: compiled()(*given, **named))

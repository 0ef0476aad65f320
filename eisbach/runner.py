"""Train all seeds of params.yaml, one after another or, with `--runner ray`, spread over a cluster.

The machines of a cluster share the project's folder. A seed is one task of `--cores` cores or `--gpus` GPUs. When its
machine dies, the task continues on another from its state in `.cache`, and ends with the same bits on the same number
of cores. Afterwards `dvc commit` records the outputs.
"""

import os
from collections.abc import Iterable

from eisbach.errors import UserError
from eisbach.pipeline import command


def train(seed: int, folder: str) -> int:
    """Run the stage `finetune@seed` in the project's `folder` and in this process, so that both die together."""
    from eisbach.pipeline.stages import finetune

    os.chdir(folder)
    finetune.main(seed)
    return seed


def serial(seeds: Iterable[int]) -> None:
    """Train the seeds one after another in this process."""
    for seed in seeds:
        train(seed, os.getcwd())


def spread(seeds: Iterable[int], cores: int, gpus: int, address: str | None) -> None:
    """Train the seeds on the Ray cluster at `address` (None: the one in RAY_ADDRESS, or this machine alone).

    A task whose machine dies is started again elsewhere. Raises UserError when Ray is not installed, and, after all
    other seeds have ended, for each seed that failed with an error.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError(
            "`--runner ray` needs Ray, which is not installed; `pip install ray` on every machine"
        ) from None
    ray.init(address=address, logging_level="ERROR")
    try:
        task = ray.remote(train).options(num_cpus=cores, num_gpus=gpus, max_retries=-1)
        waiting = {task.remote(seed, os.getcwd()): seed for seed in seeds}
        failed = {}
        for done, seed in waiting.items():
            try:
                ray.get(done)
            except ray.exceptions.RayTaskError as error:
                failed[seed] = str(error.cause)
    finally:
        ray.shutdown()
    if failed:
        raise UserError("; ".join(f"seed {seed}: {fault}" for seed, fault in failed.items()))


def main() -> None:
    parser = command.parser(__doc__)
    parser.add_argument("--runner", choices=["serial", "ray"], default="serial")
    parser.add_argument("--cores", type=int, default=1, help="CPU cores of each seed")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs of each seed")
    parser.add_argument("--address", help="address of the Ray cluster")
    given = parser.parse_args()

    from eisbach.pipeline import paths
    from eisbach.pipeline.params import load

    if not paths.REGISTRATION.is_file():
        raise paths.missing(paths.REGISTRATION)  # it seals the registry
    seeds = load().seeds
    if given.runner == "ray":
        spread(seeds, given.cores, given.gpus, given.address)
    else:
        serial(seeds)
    print("trained; now run: dvc commit --force", *(f"finetune@{seed}" for seed in seeds))


if __name__ == "__main__":
    command.run(main)

"""The arms of a seed spread over the processes that `accelerate launch` started, one a device.

Arms know nothing of each other, so no gradient crosses between processes: each trains some arms as one process would
have, to the same bits on the same kind of device, and what is gathered are the tables.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from eisbach.errors import UserError
from eisbach.weighting import Weighting


def share(weightings: Mapping[str, Weighting], leaders: Mapping[str, str], index: int, count: int) -> list[str]:
    """The arms of process `index` of `count`; arms that replay another's factors go where that one goes.

    `leaders`: of `eisbach.training.loop.followed`. Raises UserError when a process would have none.
    """
    groups = {arm: [arm] for arm in weightings if arm not in leaders}
    for follower, leader in leaders.items():
        groups[leader].append(follower)
    if count > len(groups):
        raise UserError(
            f"{count} processes cannot share {len(groups)} arms that train by themselves; "
            f"start `accelerate launch` with --num_processes {len(groups)} at most"
        )
    shares: list[list[str]] = [[] for _ in range(count)]
    for group in sorted(groups.values(), key=len, reverse=True):
        min(shares, key=len).extend(group)
    return [arm for arm in weightings if arm in shares[index]]


def gathered(table: pd.DataFrame, step: str, arms: Iterable[str]) -> pd.DataFrame:
    """The tables of all processes as one process would have made theirs: by the column `step`, then in `arms`' order.

    To be called by all of them.
    """
    from accelerate.utils import gather_object

    whole = pd.concat(gather_object([table]))
    places = {arm: place for place, arm in enumerate(arms)}
    return whole.iloc[np.lexsort((whole["arm"].map(places), whole[step]))]

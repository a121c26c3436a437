"""The definition of every kernel, in NumPy. A faster backend replaces some of them and is tested against these.

A kernel that is not written in one of the files of this room *is* NumPy's function of that name. `minidil.kernels.contract` lists
them all, with shapes and meaning.
"""

import numpy as np

from minidil.kernels.contract import KERNELS, offered
from minidil.kernels.reference import (
    boxes,
    channel,
    conv,
    elementwise,
    gather,
    linear,
    logits,
    mixing,
    movement,
    pool,
    random,
    recurrent,
    row,
    update,
)

globals().update(
    offered(
        np,
        boxes,
        channel,
        conv,
        elementwise,
        gather,
        linear,
        logits,
        mixing,
        movement,
        pool,
        random,
        recurrent,
        row,
        update,
    )
)
__all__ = list(KERNELS)

"""Training on several processes: each learns from its part of every batch, and all take the same step.

In comes a team, the processes that `mpiexec -n 4` starts, called ranks; out go sums over them: of gradients, while the backward
pass goes on; of a batch's statistics; of what is measured. `train.fit(..., team=team)` does the rest.
"""

from minidil.parallel.buckets import Gradients
from minidil.parallel.keeper import join, joined
from minidil.parallel.norm import SyncBatchNorm, synchronise
from minidil.parallel.share import Share
from minidil.parallel.team import Sum, Team, total

__all__ = ["Gradients", "Share", "Sum", "SyncBatchNorm", "Team", "join", "joined", "synchronise", "total"]

"""Executing a kernel: the lowest program counter first.

All lanes at the same instruction execute it together. Where a branch divides them, those with the lowest program counter go
first until they meet the others again, which is what makes loops and branches of structured programs meet at once. A lane that
reaches a barrier waits until all lanes of its block have reached it; one that reaches a shuffle waits until no lane that could
still join it is left to run.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.emulator.decode import Decoded
from minidil.emulator.machine import Machine, Mask
from minidil.emulator.report import Finding, Launch, Three

LANES = 1 << 14  # that are run at once: enough to hide NumPy's overhead, few enough to stay in the cache
FAIR = 50  # rounds of a loop after which other threads are let on, for which those in the loop may wait
_ONE_AT_A_TIME = threading.RLock()  # two launches would share the registers


class Execution(Machine):
    """One launch of a decoded kernel on grid x block threads, as many blocks at once as make good use of NumPy.

    patience: how many steps back a block may take, which loops do, before it counts as endless; None to wait for ever.
    """

    def __init__(
        self,
        decoded: Decoded,
        name: str,
        grid: Three,
        block: Three,
        arguments: list[Any],
        launch: Launch | None = None,
        findings: list[Finding] | None = None,
        warnings: list[Finding] | None = None,
        dynamic: int = 0,
        patience: int | None = None,
    ) -> None:
        super().__init__(decoded, name, grid, block, arguments, launch, findings, warnings, dynamic)
        self.steps = decoded.steps
        self.patience = patience

    def run(self) -> None:
        """Execute all blocks. Raises: KernelError, unless findings are collected."""
        blocks = self.grid[0] * self.grid[1] * self.grid[2]
        together = max(1, LANES // self.threads)
        with _ONE_AT_A_TIME, np.errstate(all="ignore"):
            for first in range(0, blocks, together):
                self._place(first, min(together, blocks - first))
                self._execute()
                self.report_race(self.watch_shared.barrier(), "shared")
            self.report_race(self.watch_global.end(), "global")

    # --- control flow

    def _execute(self) -> None:
        end = len(self.steps)
        self.backward, self.spinning, self.others_first = 0, Counter[int](), False
        pcs = np.zeros(self.lanes, np.int64)
        waiting, self.gathering = np.zeros(self.lanes, np.bool_), np.zeros(self.lanes, np.bool_)
        while True:
            ready, gathered = (pcs < end) & ~waiting & ~self.gathering, False
            if not ready.any():
                if not (waiting | self.gathering).any():
                    return
                if not self.gathering.any():
                    self._release(pcs, waiting, end)
                    continue
                ready, gathered = self.gathering.copy(), True  # nobody else can come
            here = int(pcs[ready].max() if self.others_first else pcs[ready].min())
            group = ready & (pcs == here)
            ahead = pcs[ready & ~group]
            limit = int(ahead.min()) if ahead.size and not self.others_first else end
            self.others_first, self.alone = False, not ahead.size
            whole = not ahead.size and bool(group.all())
            self.gathering &= ~group
            self._all_here = gathered
            self._segment(here, limit, None if whole else group, pcs, waiting, end)

    def _segment(self, pc: int, limit: int, where: Mask, pcs: NDArray[np.int64], waiting: Any, end: int) -> None:
        """Run the lanes of `where` from pc on, until they divide, wait, end, or meet the lanes that stand at `limit`."""
        steps, count = self.steps, self.launch is not None
        group: Any = slice(None) if where is None else where
        begin = pc
        while pc < limit:
            step = steps[pc]
            self.pc = pc
            if step.gathers and where is not None and not self._gathered(pc, begin, pcs, where):
                return
            if count:
                self._count(where)
            if step.run is not None and step.guard is None:
                step.run(self, where)
                pc += 1
                continue
            holds: Any = True
            if step.guard is not None:
                holds = self.values[step.guard]
                holds = ~holds if step.negated else holds
                chosen = holds if where is None else holds & where
                if not chosen.any():
                    pc += 1
                    continue
                holds = bool(chosen.all()) if where is None else not (where & ~chosen).any()
            if step.run is not None:
                step.run(self, where if holds else chosen)
                pc += 1
            elif step.kind == "branch":
                goes_on = step.target
                if step.target <= pc and self.patience is not None:
                    if self._endless(pc, where if holds else chosen):
                        goes_on = end
                    # Those who go round a loop may wait for others, who come first for once.
                    self.others_first = self.backward % FAIR == 0 and not self.alone
                if not holds or goes_on == end or self.others_first:
                    pcs[group] = pc + 1
                    pcs[group if holds else chosen] = goes_on
                    return
                pc = goes_on
            elif step.kind == "warp barrier":
                self.report_race(self.watch_shared.warp_barrier(), "shared")
                self.report_race(self.watch_global.warp_barrier(), "global")
                pc += 1
            elif step.kind == "barrier" and where is None and holds:
                self._barrier()
                if step.opens is not None:
                    step.opens(self, where)
                pc += 1
            elif step.kind == "barrier":
                pcs[group] = pc + 1
                pcs[where if holds else chosen] = pc
                waiting[where if holds else chosen] = True
                return
            else:
                pcs[group] = pc + 1
                pcs[group if holds else chosen] = end
                return
        pcs[group] = pc

    def _endless(self, pc: int, where: Mask) -> bool:
        """Count a step back, and say whether there were too many: then the lanes that take it are given up."""
        assert self.patience is not None
        self.backward += 1
        if self.backward > self.patience // 2:
            self.spinning[pc] += 1
        if self.backward < self.patience:
            return False
        self.backward, (often, _) = 0, self.spinning.most_common(1)[0]
        lines = sorted(
            {self.program.instructions[one].line for one in range(self.steps[often].target, often + 1)} - {0}
        )
        place = f"lines {lines[0]} to {lines[-1]}" if len(lines) > 1 else f"line {lines[0] if lines else 0}"
        self.fault(
            "endless loop",
            f"after {self.patience:,} rounds threads still go round the loop of {place}; if they wait for others, nothing "
            "promises that these run meanwhile, and if the loop is only long, allow more `rounds`",
            self.taking_part(where),
            often,
        )
        return True

    def _gathered(self, pc: int, begin: int, pcs: NDArray[np.int64], where: NDArray[np.bool_]) -> bool:
        """Whether lanes go on with a shuffle, vote or warp barrier, for which the lanes of a warp wait for each other.

        They do when everybody who can still come is here: then the instruction is the first that they are told to run.
        Compilers may place the end of a loop before its body, so that the lowest program counter is not enough.
        """
        if pc == begin and self._all_here:
            self._all_here = False  # for once: a loop may come back here
            return True
        pcs[where] = pc
        self.gathering |= where
        return False

    def _release(self, pcs: NDArray[np.int64], waiting: Any, end: int) -> None:
        """All lanes wait or have ended. Let those at a barrier go on.

        CUDA's programming guide asks that a barrier in conditional code is reached by all threads of the block or by none, and
        says that since compute capability 7.0 it waits for all threads that have not exited.
        """
        blocks, places = pcs.reshape(self.count, -1), waiting.reshape(self.count, -1)
        ended = (blocks >= end) & places.any(axis=1, keepdims=True)
        low = np.where(places, blocks, end).min(axis=1, keepdims=True)
        elsewhere = places & (blocks != low)
        self.pc = int(pcs[waiting].min())
        if ended.any():
            lanes = np.flatnonzero(ended.reshape(-1))
            self.warn(
                "exited threads",
                "these threads have ended, and others of the block pass a barrier without them; GPUs since Volta wait only for "
                "threads that have not exited, and CUDA's guide allows a barrier in conditional code only if all threads of the "
                "block reach it",
                lanes,
            )
        if elsewhere.any():
            other = int(blocks[elsewhere][0])
            line = self.program.instructions[other].line
            message = f"some threads of the block wait here, these at the barrier of line {line}"
            self.fault("divergent barrier", message, np.flatnonzero(elsewhere.reshape(-1)))
        self._barrier()
        for pc in np.unique(pcs[waiting]):
            if (opens := self.steps[pc].opens) is not None:
                opens(self, waiting & (pcs == pc))
        pcs[waiting] += 1
        waiting[:] = False

    def _barrier(self) -> None:
        self.report_race(self.watch_shared.barrier(), "shared")
        self.report_race(self.watch_global.barrier(), "global")

    def _count(self, where: Mask) -> None:
        assert self.launch is not None
        if where is None:
            threads, warps = self.lanes, self.count * -(-self.threads // 32)
        else:
            threads = int(np.count_nonzero(where))
            warps = np.unique(self.warp[where]).size
        self.launch.executed[self.pc] += threads
        self.launch.issued[self.pc] += warps

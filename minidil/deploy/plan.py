"""A plan of `compile`: the model's own numbers, in fused steps."""

from __future__ import annotations

from collections.abc import Sequence

from minidil.array import Array
from minidil.deploy.fuse import Fused
from minidil.deploy.planned import Planned
from minidil.deploy.recording import Recording
from minidil.deploy.stages import Stage, work
from minidil.deploy.steps import KINDS
from minidil.errors import DtypeError, ShapeError


class Plan(Planned[Stage]):
    """What a model computes in evaluation mode, for inputs (N, *input_shape) with any N; made by `deploy.compile`.

    It has copies of the weights: training goes on without it. Several threads may call it at once.
    """

    name, worth = "plan", 1 << 24

    def __init__(self, recording: Recording, fused: Fused) -> None:
        self.model, self.input_shape, self.dtype = recording.model, recording.shape, recording.dtype
        self.between, self.kept_apart, self.calls = recording.dtype, tuple(fused.kept_apart), len(recording.calls)
        steps = [KINDS[stage.kind](stage, recording.dtype) for stage in fused.stages]
        reads = [_reads(stage) for stage in fused.stages]
        self._arrange(fused.stages, steps, reads, [work(stage) for stage in fused.stages], fused.output)

    def _check(self, images: Array) -> None:
        if images.shape[1:] != self.input_shape or not images.ndim:
            expected = f"(N, {', '.join(map(str, self.input_shape))})"
            raise ShapeError(
                f"plan of {self.model}: x must be {expected}, not {images.shape}; compile the model again for another shape"
            )
        if images.dtype != self.dtype:
            raise DtypeError(
                f"plan of {self.model}: x must be {self.dtype}, not {images.dtype}; use astype({str(self.dtype)!r})"
            )


def _reads(stage: Stage) -> Sequence[int]:
    """The values that a step is given: its operands, then the residual."""
    return [*stage.reads, *([] if stage.residual is None else [stage.residual])]

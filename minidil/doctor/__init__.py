"""What `minidil doctor` looks at: the machine, whether a backend computes what it should, and how fast a GPU does it.

Apart from these, `gauges` times a GPU, and `static` reads the machine code of every CUDA kernel; both import numba.cuda.
"""

from minidil.doctor.agreement import Agreement, Check, compare, kernel_checks, op_checks, training_checks
from minidil.doctor.cases import Case, cases
from minidil.doctor.cuda_checks import cuda_checks
from minidil.doctor.system import System, examine, facts, verdicts

__all__ = [
    "Agreement",
    "Case",
    "Check",
    "System",
    "cases",
    "compare",
    "cuda_checks",
    "examine",
    "facts",
    "kernel_checks",
    "op_checks",
    "training_checks",
    "verdicts",
]

"""What `minidil doctor` looks at: the machine, whether a backend computes what it should, and how fast a GPU does it.

Apart from these, `gauges` times a GPU, and `static` reads the machine code of every CUDA kernel; both import numba.cuda.
"""

from minidil.doctor.agreement import Agreement, compare, compare_training
from minidil.doctor.cases import Case, cases
from minidil.doctor.system import System, examine, facts, verdicts

__all__ = [
    "Agreement",
    "Case",
    "System",
    "cases",
    "compare",
    "compare_training",
    "examine",
    "facts",
    "verdicts",
]

"""What `minidil doctor` looks at: the machine, whether a backend computes what it should, and how fast a GPU does it."""

from minidil.doctor.agreement import Agreement, compare
from minidil.doctor.cases import Case, cases
from minidil.doctor.system import System, examine, facts, verdicts

__all__ = ["Agreement", "Case", "System", "cases", "compare", "examine", "facts", "verdicts"]

"""Without the packages that compile kernels, what needs them is left out."""

from minidil.emulator.toolchain import missing

collect_ignore = [] if missing() is None else ["test_plain.py", "test_support.py", "test_teaching.py"]

"""Without the packages that compile kernels, what needs them is left out."""

from minidil.emulator.toolchain import missing

COMPILE = ("command", "device_lines", "lines", "plain", "support", "teaching", "uncompiled")
collect_ignore = [] if missing() is None else [f"test_{name}.py" for name in COMPILE]

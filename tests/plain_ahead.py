"""What kernels/cpu/ahead.py asks the processor for, in Python: nothing."""

LINE_BYTES = 64


def fetch(array, starts, further):
    """A hint."""


fetch_to_write = fetch_rows_for_later = fetch

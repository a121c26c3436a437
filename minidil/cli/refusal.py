"""How an error is said: in one line on standard error."""

import sys


def refuse(message: str, code: int) -> int:
    """Print the line, and return the exit code."""
    print(f"minidil: {message}", file=sys.stderr)
    return code


def one_line(error: Exception) -> str:
    """The error and its innermost note, without line breaks."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    notes = getattr(error, "__notes__", [])[:1]  # the innermost: the layer in which it happened
    return " ".join(" ".join([str(error) or type(error).__name__, *notes]).split())

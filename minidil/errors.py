"""Every error that minidil raises on purpose.

All derive from `MinidilError`, so one `except` clause catches them, and each also derives from the built-in error that
Python itself would raise in its place. Messages name the operation and put the caller's numbers into the formula that they
break.
"""


class MinidilError(Exception):
    """Anything that minidil refuses, with a message that says what to do instead."""


class ShapeError(MinidilError, ValueError):
    """Shapes, ranks, axes or window geometry that do not fit together."""


class DtypeError(MinidilError, TypeError):
    """Number types that would have to be cast silently to work together."""


class CallError(MinidilError, TypeError):
    """Arguments that do not fit the function: too many, missing, unknown, or given twice."""


class NoSuchNameError(MinidilError, AttributeError):
    """A name that minidil does not have, with the word that it uses instead."""


class NoSuchModuleError(MinidilError, ModuleNotFoundError):
    """A module that PyTorch has and minidil has not, with the place where its things are."""


class OptionError(MinidilError, ValueError):
    """An argument outside the values that the operation is defined for."""


class CheckFailed(MinidilError, AssertionError):  # noqa: N818  # what it is called in a classroom
    """A student's function that does not yet do what its exercise asks for."""


class FieldError(MinidilError, AssertionError):
    """A receptive field that is smaller, or has more holes, than was asserted."""


class BackendError(MinidilError, RuntimeError):
    """An unknown backend, one that is not installed, or a kernel that a backend lacks."""


class GraphError(MinidilError, RuntimeError):
    """A backward pass that the recorded graph cannot serve."""


class DataError(MinidilError, ValueError):
    """A data set that is missing, incomplete or not the bytes it should be."""


class CheckpointError(MinidilError, ValueError):
    """A checkpoint that cannot be read, or that does not fit the model it is loaded into."""


class TrainingError(MinidilError, RuntimeError):
    """A training run that cannot go on, such as one whose loss is no longer finite."""


class BusyError(MinidilError, RuntimeError):
    """A folder that another process, or another thread, is at work in."""


class StorageError(MinidilError, OSError):
    """A file that the disk, a limit or its permissions do not let be written; `errno` is the system's."""

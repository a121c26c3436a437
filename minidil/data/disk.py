"""What a disk can refuse while a file is written, said in one line: the file, the reason, and what to do."""

import errno
from pathlib import Path
from urllib.error import URLError

from minidil.errors import DataError

PART = ".part"  # added to the name of a file that has not arrived whole yet
_ELSEWHERE = "set MINIDIL_DATA to a folder"
_ADVICE = {
    errno.ENOSPC: f"make room on that disk, or {_ELSEWHERE} on another one",
    errno.EDQUOT: f"make room within your quota, or {_ELSEWHERE} on another disk",
    errno.EFBIG: f"raise the limit on the size of a file (ulimit -f), or {_ELSEWHERE} on a disk that takes larger ones",
    errno.EACCES: f"make it writable for you, or {_ELSEWHERE} of your own",
    errno.EPERM: f"make it writable for you, or {_ELSEWHERE} of your own",
    errno.EROFS: f"{_ELSEWHERE} on a disk that can be written to",
}


def is_of_the_disk(error: OSError) -> bool:
    """Whether the disk raised it, rather than the network, of whose errors many are OSErrors too."""
    return error.errno in _ADVICE and not isinstance(error, URLError)


def unwritable(path: Path, error: OSError) -> DataError:
    """The error for a file or folder that cannot be written."""
    reason = error.strerror or str(error) or type(error).__name__
    where = error.filename or path  # of several files it is the one in the way, such as a folder above
    return DataError(f"{where} cannot be written: {reason}; {_ADVICE.get(error.errno or 0, f'{_ELSEWHERE} elsewhere')}")

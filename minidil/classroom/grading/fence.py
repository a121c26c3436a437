"""What the system lets a process do that runs a student's code: limits of memory and files, and no files but its own.

`rlimits` work on Linux and, but for memory, on macOS. `Landlock` is Linux's way for a process without any privilege to give up
rights that it, and whatever it starts, never gets back (Salaun 2017; landlock(7)): from 5.13 on for files, from 6.12 on for
signals to processes outside. It does not cover what is written about files, such as permissions, nor, before 6.2, cutting
them. Elsewhere there is no such thing, and `shut` says so.
"""

import ctypes
import os
import sys
from pathlib import Path

LARGEST_FILE = 64 << 20  # bytes that one file may have
_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the system calls' numbers, the same on every architecture
_NO_NEW_PRIVILEGES = 38  # of prctl
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
_ALL_OF_VERSION = {
    1: (1 << 13) - 1,
    2: (1 << 14) - 1,
    3: (1 << 15) - 1,
}  # later versions add what is asked for elsewhere
_SIGNALS_FROM, _SCOPE_SIGNAL, _SCOPE_ABSTRACT_SOCKETS = 6, 2, 1
_TO_READ = (
    *("/usr", "/bin", "/lib", "/lib32", "/lib64", "/opt/conda", "/nix/store", "/snap", "/etc", "/sys/devices/system"),
    *("/dev/random", "/dev/urandom", "/dev/zero", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat"),
)
_TO_WRITE = ("/dev/null",)


def limit(memory: int, cpu_seconds: int) -> None:
    """Give up memory above so many bytes, files above LARGEST_FILE, core dumps, and more processor time than that."""
    try:
        import resource
    except ImportError:  # Windows
        return
    wanted = {"RLIMIT_FSIZE": LARGEST_FILE, "RLIMIT_CORE": 0, "RLIMIT_CPU": cpu_seconds}
    if sys.platform.startswith("linux"):  # macOS takes it and does nothing
        wanted["RLIMIT_AS"] = memory
    for name, value in wanted.items():
        which = getattr(resource, name)
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def version() -> int:
    """That of Landlock here; 0: there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(int(_system().syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))), 0)


def shut(own: Path) -> bool:
    """From now on this process, and those that it starts, can write in `own` alone, and read that, Python and the system.

    Returns: False, and nothing was given up, where the system has no way to do it.
    """
    landlock = version()
    if not landlock:
        return False
    handled = _ALL_OF_VERSION[min(landlock, 3)]
    scoped = _SCOPE_SIGNAL | _SCOPE_ABSTRACT_SOCKETS if landlock >= _SIGNALS_FROM else 0
    attributes = (ctypes.c_uint64 * 3)(handled, 0, scoped)  # files, network, scope
    size = {1: 8, 2: 8, 3: 8, 4: 16, 5: 16}.get(landlock, 24)
    ruleset = _checked(_system().syscall(_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0)))
    for place in (*map(Path, _TO_READ), *python_folders()):
        _allow(ruleset, place, handled & (_EXECUTE | _READ_FILE | _READ_DIR))
    for place in map(Path, _TO_WRITE):
        _allow(ruleset, place, handled & (_READ_FILE | _WRITE_FILE | _TRUNCATE))
    _allow(ruleset, own, handled)
    _checked(_system().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _checked(_system().syscall(_RESTRICT, ruleset, ctypes.c_uint32(0)))
    os.close(ruleset)
    return True


def python_folders() -> list[Path]:
    """Where this Python, the installed packages and minidil are, but not the classroom, whose exercises hold what is expected.

    Any other folder of `sys.path`, such as the checkout that minidil is imported from, is left out: anything may lie there.
    """
    installed = [Path(each) for each in {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}]
    package = Path(__file__).resolve().parents[2]
    sites = [Path(each) for each in sys.path if Path(each).name in ("site-packages", "dist-packages")]
    ours = [each for each in package.iterdir() if each.name != "classroom"]
    return [*installed, *sites, *ours, package.parent / "datasets"]


def _allow(ruleset: int, place: Path, rights: int) -> None:
    """Add a rule for what is at or below a place, if there is one."""
    try:
        descriptor = os.open(place, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not place.is_dir():
            rights &= _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
        rule = rights.to_bytes(8, sys.byteorder) + descriptor.to_bytes(4, sys.byteorder, signed=True)
        _checked(_system().syscall(_ADD, ruleset, ctypes.c_int(1), rule, ctypes.c_uint32(0)))
    finally:
        os.close(descriptor)


def _system() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result

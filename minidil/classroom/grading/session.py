"""One kernel at work on one submission: started behind the fence, given cells, asked for values, ended with all its children."""

import contextlib
import hmac
import json
import os
import secrets
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import from_dict

from minidil.classroom.grading import kernel
from minidil.classroom.grading.peer import Gone, Peer
from minidil.classroom.grading.watchdog import Watchdog
from minidil.errors import MinidilError

_START_SECONDS = 60.0
_OF_ALL_THREADS = (
    2  # with a process's number in the higher bits, Linux's name for its clock; see clock_getcpuclockid(3)
)
_FULL = 0.9  # of its memory
_LONGEST_MESSAGE = 4 << 20  # bytes of Jupyter's protocol; a kernel that sends more is cut off
_SERVE = "__import__('minidil.classroom.grading.inside', fromlist=['serve']).serve()"
_KEPT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG", "LC_ALL", "PYTHONPATH", "CONDA_PREFIX", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Limits:
    """seconds: that the processor may work for one cell or one check. total: seconds by the clock for one notebook.

    memory: bytes of one process.
    """

    seconds: float = 20.0
    total: float = 300.0
    memory: int = 4 << 30


@dataclass(frozen=True)
class Ran:
    """What became of a cell. how: "ran", "raised", "memory" (none is left), "late" (killed at the limit) or "died"."""

    how: str
    error: str = ""
    says: str = ""


class _Quiet(NotebookClient):
    """nbclient, but outputs are dropped: nothing here is read from them."""

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        return super().process_message(msg, cell, cell_index) if msg["msg_type"] == "status" else None


class _Manager(AsyncKernelManager):
    """Starts our kernel, whatever the notebook says and whichever are installed."""

    kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", kernel.__name__, "-f", "{connection_file}"],
        display_name="grading",
        language="python",
    )


class Session:
    """A kernel. own: the one folder that it may write in. checks: whether some checks run in there."""

    def __init__(self, own: Path, limits: Limits, checks: bool = False) -> None:
        self.limits, self._own = limits, own
        self._token = secrets.token_hex(16)
        self._context = zmq.asyncio.Context()
        self._context.setsockopt(zmq.MAXMSGSIZE, _LONGEST_MESSAGE)
        self._manager = _Manager(context=self._context, connection_file=str(own / "kernel.json"))
        notebook = from_dict({"cells": [{}], "metadata": {}})  # type: ignore[no-untyped-call]
        self._client = _Quiet(notebook, km=self._manager, timeout=None, log=_silent(), iopub_timeout=1)
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._client.start_new_kernel(
                env=self._environment(server.getsockname()[1], checks),
                cwd=str(own),
                stdout=_nowhere(),
                stderr=_nowhere(),
            )
            self._pid = getattr(self._manager.provisioner, "pid", None)
            self._watchdog = Watchdog(self._pid, limits.seconds, self._kill)
            try:
                self.peer = Peer(self._accepted(server))
                self._kernel_client: Any = self._client.start_new_kernel_client()
            except BaseException:
                self.end()
                raise

    def run(self, source: str) -> Ran:
        """Run a cell; afterwards, if it was late or died, this session is of no more use."""
        cell = _cell(source)
        self._watchdog.begin()
        try:
            self._client.execute_cell(cell, 0, store_history=False)
        except CellExecutionError as error:
            out_of_memory = error.ename == "MemoryError" or self._full()
            return Ran("memory" if out_of_memory else "raised", error.ename, error.evalue[:1000])
        except (DeadKernelError, RuntimeError):
            return Ran(self.ended)
        finally:
            self._watchdog.end()
        return Ran("memory" if self._full() else "ran")

    def clock(self) -> float:
        """Seconds that the kernel's processor has worked, where the system tells them exactly; else the time."""
        if sys.platform.startswith("linux") and self._pid is not None:
            with contextlib.suppress(OSError):
                return time.clock_gettime((~self._pid << 3) | _OF_ALL_THREADS)
        return time.perf_counter()

    @property
    def ended(self) -> str:
        """How a kernel that is gone came to its end: "late", as the watchdog killed it, or "died"."""
        return "late" if self._watchdog.bit else "died"

    def serve(self) -> None:
        """Have the kernel answer `peer`, for as long as a check may take."""
        self._watchdog.begin()
        self._kernel_client.execute(_SERVE, store_history=False)

    def served(self) -> None:
        """The kernel takes cells again."""
        self._watchdog.end()
        self.peer.done()

    def end(self) -> None:
        """Kill the kernel and whatever it started that is still in its process group or carries its environment."""
        self._watchdog.stop()
        self._kill()
        if hasattr(self, "peer"):
            self.peer.close()
        with contextlib.suppress(Exception):  # it is dead, and says so in various ways
            self._client.shutdown_kernel = "immediate"
            self._client._cleanup_kernel()
        self._context.destroy(linger=0)

    def _full(self) -> bool:
        """Whether the kernel holds nearly all the memory that it may have, so that whatever comes next would fail."""
        return self._watchdog.memory() > _FULL * self.limits.memory

    def _kill(self) -> None:
        if self._pid is not None and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
        elif self._pid is not None:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(self._pid)
                for each in [*process.children(recursive=True), process]:
                    each.kill()
        kill_strays(self._own)
        if hasattr(self, "peer"):
            self.peer.broken = self.peer.broken or Gone("its process was ended")

    def _accepted(self, server: socket.socket) -> socket.socket:
        """The kernel's connection: the one that knows the token."""
        ends = time.monotonic() + _START_SECONDS
        while True:
            server.settimeout(max(ends - time.monotonic(), 0.01))
            try:
                connection, _ = server.accept()
                connection.settimeout(5.0)
                said = connection.recv(len(self._token), socket.MSG_WAITALL)
            except TimeoutError:
                raise MinidilError(f"grade: a kernel did not start within {_START_SECONDS:.0f} s") from None
            if hmac.compare_digest(said, self._token.encode()):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            connection.close()

    def _environment(self, port: int, checks: bool) -> dict[str, str]:
        """Little of ours: no secret of the grader's, and no place outside its own folder to put a file."""
        own = str(self._own)
        orders = {
            "port": port,
            "token": self._token,
            "own": own,
            "checks": checks,
            "memory": self.limits.memory,
            "cpu_seconds": int(4 * self.limits.total) + 60,  # of all its threads together
        }
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        homes = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TMP", "TEMP", "IPYTHONDIR", "MPLCONFIGDIR"), own)
        homes |= dict.fromkeys(
            ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "NUMBA_CACHE_DIR"), own
        )
        threads = dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
        )
        rest = {"MPLBACKEND": "Agg", "TQDM_DISABLE": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
        rest |= {"PYDEVD_DISABLE_FILE_VALIDATION": "1", kernel.ORDERS: json.dumps(orders)}
        return kept | homes | threads | rest


def _cell(source: str) -> Any:
    content: dict[str, Any] = {
        "cell_type": "code",
        "source": source,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    return from_dict(content)  # type: ignore[no-untyped-call]


def _nowhere() -> int:
    global _null
    if _null is None:
        _null = os.open(os.devnull, os.O_RDWR)
    return _null


_null: int | None = None


def kill_strays(own: Path) -> None:
    """Kill what left its process group, on Linux, as long as it kept the environment that it was born with: its home is `own`."""
    for _ in range(3):  # what is killed may just have started another
        strays = _carrying(os.fsencode(own))
        for stray in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(stray, signal.SIGKILL)
        if not strays:
            return


def _carrying(text: bytes) -> list[int]:
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if b"HOME=" + text in place.read_bytes():
                found.append(int(place.parent.name))
    return found


def _silent() -> Any:
    import logging

    log = logging.getLogger("minidil.grading")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    return log

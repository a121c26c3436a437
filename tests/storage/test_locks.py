"""One at a time, and the others learn who it is."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from minidil.errors import BusyError, MinidilError
from minidil.storage.locks import locked

HOLD = """
import sys, time
from pathlib import Path
from minidil.storage.locks import locked
with locked(Path(sys.argv[1]), "training"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_is_held_inside_and_free_again_outside(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    with locked(path, "training"):
        note = json.loads((tmp_path / "new" / ".lock.by").read_text())
        assert (note["pid"], note["host"], note["doing"]) == (os.getpid(), socket.gethostname(), "training")
        with pytest.raises(BusyError), locked(path, "training"):
            pass
    assert [entry.name for entry in path.parent.iterdir()] == [".lock"]
    with locked(path, "training"):
        pass


def test_the_message_says_who_holds_it_and_since_when(tmp_path: Path) -> None:
    with locked(tmp_path / ".lock", "fetching mnist"):
        with pytest.raises(BusyError) as error, locked(tmp_path / ".lock", "training"):
            pass
        who = rf"process {os.getpid()} on {re.escape(socket.gethostname())}, fetching mnist"
        assert re.fullmatch(
            rf"cannot start training: {re.escape(str(tmp_path))} is in use by {who} "
            r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d; wait until it ends, or end it",
            str(error.value),
        )
        # the refused one has not touched the holder's note
        assert json.loads((tmp_path / ".lock.by").read_text())["doing"] == "fetching mnist"
    assert issubclass(BusyError, MinidilError)
    assert issubclass(BusyError, RuntimeError)


@pytest.mark.parametrize("note", [None, b"", b"[]", b'{"pid": 1}', b"\xff"])
def test_a_note_that_cannot_be_read_hides_the_holder_and_nothing_else(tmp_path: Path, note: bytes | None) -> None:
    path = tmp_path / ".lock"
    with locked(path, "training"):
        by = tmp_path / ".lock.by"
        by.unlink() if note is None else by.write_bytes(note)
        with pytest.raises(BusyError, match="is in use by another process;"), locked(path, "training"):
            pass


def test_what_the_block_raises_comes_out_and_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError, match="inside"), locked(tmp_path / ".lock", "training"):
        raise ZeroDivisionError("inside")
    with locked(tmp_path / ".lock", "training"):
        pass


def test_waiting_ends_with_the_lock_or_with_the_time(tmp_path: Path) -> None:
    path, entered, leave = tmp_path / ".lock", threading.Event(), threading.Event()

    def hold() -> None:
        with locked(path, "training"):
            entered.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(10)
    with pytest.raises(BusyError, match=r"it did not end within 0\.1 s"), locked(path, "training", wait=0.1):
        pass
    threading.Timer(0.1, leave.set).start()
    begun = time.monotonic()
    with locked(path, "training", wait=10):
        assert 0.05 < time.monotonic() - begun < 9
    holder.join()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process with SIGKILL")
def test_a_killed_process_leaves_the_lock_free(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        who = f"in use by process {process.pid} on .*, training since"
        with pytest.raises(BusyError, match=who), locked(path, "training"):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (tmp_path / ".lock.by").exists()  # nobody was left to remove it
    with locked(path, "training"):
        assert json.loads((tmp_path / ".lock.by").read_text())["pid"] == os.getpid()
    assert not (tmp_path / ".lock.by").exists()

"""Fetching from servers that behave, and from servers that do not. All of them are on this machine."""

import errno
import hashlib
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from minidil.data import cache, download, get, registry
from minidil.data.download import fetch
from minidil.data.registry import File, Source
from minidil.errors import BusyError, DataError, OptionError
from minidil.storage.locks import locked

CONTENT = np.random.default_rng(0).bytes(300_000)


@dataclass
class Host:
    """A mirror: what it serves and how, and the (path, Range) of every request that reached it."""

    content: bytes = CONTENT
    ranges: bool = True
    length: bool = True
    status: int = 200
    cut_after: int | None = None  # bytes of an answer after which the connection breaks off
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""
    gate: threading.Event = field(default_factory=threading.Event)  # closed: answers wait
    reached: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host: Host = self.server.host
        wanted = self.headers.get("Range")
        host.asked.append((self.path, wanted))
        host.reached.set()
        host.gate.wait(10)
        if host.status != 200:
            self.send_error(host.status)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and host.ranges else 0
        total = len(host.content)
        if start >= total > 0 and wanted and host.ranges:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{total}")
            self.end_headers()
            return
        body = host.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if host.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if host.cut_after is None else body[: host.cut_after])

    def log_message(self, *args: object) -> None:
        """Keep the test output quiet."""


@pytest.fixture
def serve() -> Iterator[Callable[..., Host]]:
    """Start a mirror with the given manners."""
    servers = []

    def start(**manners: object) -> Host:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.host = host = Host(**manners)
        host.url = f"http://127.0.0.1:{server.server_port}/set/file.bin"
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return host

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "root" / "set" / "file.bin"


def described(*hosts: Host | str, content: bytes = CONTENT) -> File:
    mirrors = tuple(host if isinstance(host, str) else host.url for host in hosts)
    return File("file.bin", len(content), mirrors, packed=f"sha256:{hashlib.sha256(content).hexdigest()}")


def part_of(path: Path, content: bytes) -> None:
    """Leave behind what an earlier call had received."""
    path.parent.mkdir(parents=True)
    path.with_name("file.bin.part").write_bytes(content)


def assert_whole(path: Path) -> None:
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["file.bin"]  # no .part is left


@pytest.mark.parametrize("manners", [{}, {"ranges": False}, {"length": False}])
def test_fetches_a_file_whole(serve: Callable[..., Host], path: Path, manners: dict[str, bool]) -> None:
    host = serve(**manners)
    fetch(described(host), path, progress=False)
    assert_whole(path)
    assert host.asked == [("/set/file.bin", None)]


def test_goes_on_from_what_is_there(serve: Callable[..., Host], path: Path) -> None:
    host = serve()
    part_of(path, CONTENT[:100_000])
    fetch(described(host), path)
    assert_whole(path)
    assert host.asked == [("/set/file.bin", "bytes=100000-")]


def test_starts_again_where_the_server_ignores_the_range(serve: Callable[..., Host], path: Path) -> None:
    host = serve(ranges=False)
    part_of(path, CONTENT[:100_000])
    fetch(described(host), path)
    assert_whole(path)
    assert len(host.asked) == 1


def test_takes_416_for_the_end_where_everything_is_there(serve: Callable[..., Host], path: Path) -> None:
    host = serve()
    part_of(path, CONTENT)
    fetch(described(host), path)
    assert_whole(path)
    assert host.asked == [("/set/file.bin", "bytes=300000-")]


def test_starts_again_where_more_is_there_than_there_should_be(serve: Callable[..., Host], path: Path) -> None:
    host = serve()
    part_of(path, CONTENT + b"more")
    fetch(described(host), path)
    assert_whole(path)
    assert [wanted for _, wanted in host.asked] == ["bytes=300004-", None]


def test_starts_again_where_what_is_there_is_wrong(serve: Callable[..., Host], path: Path) -> None:
    host = serve()
    part_of(path, b"\0" + CONTENT[1:100_000])
    fetch(described(host), path)
    assert_whole(path)
    assert [wanted for _, wanted in host.asked] == ["bytes=100000-", None]


def test_a_connection_that_breaks_off_is_taken_up_again(serve: Callable[..., Host], path: Path) -> None:
    host = serve(cut_after=80_000)
    fetch(described(host), path)
    assert_whole(path)
    assert [wanted for _, wanted in host.asked] == [None, "bytes=80000-", "bytes=160000-", "bytes=240000-"]


def test_what_one_mirror_brought_the_next_one_completes(serve: Callable[..., Host], path: Path) -> None:
    broken, good = serve(), serve()
    broken.cut_after = 0
    part_of(path, CONTENT[:1000])
    fetch(described(broken, good), path)
    assert_whole(path)
    assert len(broken.asked) == download.ATTEMPTS
    assert good.asked == [("/set/file.bin", "bytes=1000-")]


def test_mirrors_are_tried_in_turn(serve: Callable[..., Host], path: Path) -> None:
    missing, wrong, good = serve(status=404), serve(content=b"<html>please log in</html>"), serve()
    fetch(described("http://127.0.0.1:1/closed", missing, wrong, good), path)
    assert_whole(path)
    assert [len(host.asked) for host in (missing, wrong, good)] == [1, 1, 1]


def test_when_no_mirror_serves_it_the_message_says_what_to_put_where(serve: Callable[..., Host], path: Path) -> None:
    closed, missing, wrong = "http://127.0.0.1:1/closed", serve(status=404), serve(content=CONTENT[:-1] + b"\0")
    with pytest.raises(DataError) as error:
        fetch(described(closed, missing, wrong), path, progress=False)
    message = str(error.value)
    assert "\n" not in message
    assert "cannot fetch file.bin" in message
    assert f"{closed}: [Errno" in message
    assert f"{missing.url}: Not Found" in message
    assert f"{wrong.url}: what it serves is not the published file" in message
    assert f"fetch it by hand, from {closed} for instance, and save it as {path}" in message
    assert not list(path.parent.iterdir())  # neither a wrong file nor a wrong beginning of one


def test_a_server_that_falls_silent_counts_as_gone(
    serve: Callable[..., Host], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.05)
    monkeypatch.setattr(_Handler, "do_GET", lambda self: threading.Event().wait(0.3))
    with pytest.raises(DataError, match=r"timed out"):
        fetch(described(serve()), path, progress=False)


def test_what_has_arrived_stays_when_the_mirrors_are_exhausted(serve: Callable[..., Host], path: Path) -> None:
    host = serve(cut_after=1000, ranges=True)
    host.content = CONTENT

    def cut_for_good(handler: _Handler) -> None:
        host.asked.append((handler.path, handler.headers.get("Range")))
        if len(host.asked) > 3:
            handler.send_error(503)
            return
        start = 1000 * (len(host.asked) - 1)
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        handler.send_header("Content-Length", str(len(CONTENT) - start))
        handler.end_headers()
        handler.wfile.write(CONTENT[start : start + 1000])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Handler, "do_GET", cut_for_good)
        with pytest.raises(DataError, match="Service Unavailable"):
            fetch(described(host), path)
    assert path.with_name("file.bin.part").read_bytes() == CONTENT[:3000]
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_named(serve: Callable[..., Host], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    target = tmp_path / "file" / "set" / "file.bin"
    with pytest.raises(DataError, match=r"file.set cannot be written: Not a directory; set MINIDIL_DATA to a folder"):
        fetch(described(serve()), target)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_named_and_the_other_mirrors_are_left_alone(
    serve: Callable[..., Host], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # which no device of this kind knows
    first, second = serve(), serve()
    path.parent.mkdir(parents=True)
    path.with_name("file.bin.part").symlink_to("/dev/full")
    with pytest.raises(
        DataError, match=r"file\.bin\.part cannot be written: No space left on device; make room"
    ) as error:
        fetch(described(first, second), path)
    assert "MINIDIL_DATA" in str(error.value)
    assert "\n" not in str(error.value)
    assert (len(first.asked), len(second.asked)) == (1, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of a process")
def test_a_file_that_may_not_grow_is_named_and_its_beginning_kept(serve: Callable[..., Host], path: Path) -> None:
    import resource

    host = serve()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(DataError, match=r"file\.bin\.part cannot be written: File too large; raise the limit"):
            fetch(described(host), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.with_name("file.bin.part").read_bytes() == CONTENT[:100_000]
    fetch(described(host), path)
    assert_whole(path)
    assert host.asked[1:] == [("/set/file.bin", "bytes=100000-")]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EACCES, "Permission denied; make it writable for you, or set MINIDIL_DATA to a folder of your own"),
        (errno.EROFS, "Read-only file system; set MINIDIL_DATA to a folder on a disk that can be written to"),
    ],
)
def test_a_folder_that_may_not_be_written_to_is_named(
    two_files: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    def refuse(self: Path, *args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    root = tmp_path / "shared"
    with pytest.raises(DataError, match=f"{root} cannot be written: {message}"):
        get("pair", root)
    with pytest.raises(DataError, match=f"{root} cannot be written: {message}"):
        fetch(described(two_files), root / "file.bin")
    assert two_files.asked == []


@pytest.fixture
def two_files(serve: Callable[..., Host], monkeypatch: pytest.MonkeyPatch) -> Host:
    """A set of two files in a folder of its own, known to the registry as `pair`."""
    host = serve()
    files = tuple(
        File(name, len(CONTENT), (host.url + name,), packed=f"sha256:{hashlib.sha256(CONTENT).hexdigest()}")
        for name in ("one", "two")
    )
    monkeypatch.setitem(registry.SOURCES, "pair", Source("pair", "two files", files, folder="both"))
    return host


def test_get_fetches_only_what_is_missing(two_files: Host, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"left as it is")
    assert get("pair", tmp_path, progress=False) == [tmp_path / "one", tmp_path / "both" / "two"]
    assert (tmp_path / "one").read_bytes() == b"left as it is"
    assert (tmp_path / "both" / "two").read_bytes() == CONTENT
    assert len(two_files.asked) == 1
    get("pair", tmp_path)
    assert len(two_files.asked) == 1


def test_two_that_want_the_same_set_fetch_it_once(
    two_files: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_files.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(get, "pair", tmp_path, progress=False)
        assert two_files.reached.wait(10)  # the first has the lock, and waits for the server
        second = pool.submit(get, "pair", tmp_path)
        while "waiting" not in (said := capsys.readouterr().err):
            assert not second.done()
            time.sleep(0.01)
        two_files.gate.set()
        expected = [tmp_path / "both" / "one", tmp_path / "both" / "two"]
        assert first.result(10) == second.result(10) == expected
    who = f"{tmp_path} is in use by process {os.getpid()} on {socket.gethostname()}, fetching pair since"
    assert who in said
    assert len(two_files.asked) == 2
    assert [path.read_bytes() for path in expected] == [CONTENT, CONTENT]


def test_waiting_for_another_process_has_an_end(
    two_files: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "WAIT", 0.1)
    with locked(tmp_path / ".pair.lock", "fetching pair"):
        with pytest.raises(BusyError, match=r"fetching pair since .*; it did not end within 0\.1 s"):
            get("pair", tmp_path, progress=False)
        assert two_files.asked == []
        get("digits", tmp_path)  # another set is nobody's business


def test_beginnings_of_files_that_are_there_whole_go_away(two_files: Host, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(CONTENT)
        (tmp_path / f"{name}.part").write_bytes(CONTENT[:100])
    with locked(tmp_path / ".pair.lock", "fetching pair"):
        get("pair", tmp_path)  # somebody is at work: reading what is there is free, removing things is not
        assert (tmp_path / "one.part").exists()
    get("pair", tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".pair.lock", "one", "two"]
    assert two_files.asked == []


def test_reading_takes_no_lock(two_files: Host, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(CONTENT)
    get("pair", tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["one", "two"]


def test_get_uses_the_environment_for_the_root(
    two_files: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIDIL_DATA", str(tmp_path / "elsewhere"))
    get("pair")
    assert (tmp_path / "elsewhere" / "both" / "one").read_bytes() == CONTENT


def test_get_refuses_an_unknown_name() -> None:
    with pytest.raises(OptionError, match="no set called 'imagenet'; choose from digits, mnist"):
        get("imagenet")


def test_the_bar_is_silent_where_nobody_watches(
    serve: Callable[..., Host], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(described(serve()), path, progress=True)
    assert capsys.readouterr() == ("", "")

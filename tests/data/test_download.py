"""Downloads from a server on this machine that misbehaves in every way a mirror can.

Each test looks at the folder afterwards: either the right file is there, alone, or nothing is.
"""

import contextlib
import gzip
import hashlib
import http.server
import io
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from minigan.data import download as module
from minigan.data.download import DownloadError, check_url, download

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()
GOOD = gzip.compress(CONTENT, 9)
MAX_BYTES = 20_000


class Handler(http.server.BaseHTTPRequestHandler):
    """Calls the method named by the address: /good -> self.good()."""

    def do_GET(self):
        self.server.requests.append(self.path)
        with contextlib.suppress(OSError):  # the client has gone away, as it should
            getattr(self, self.path.strip("/"))()

    def log_message(self, *args):
        pass

    def answer(self, body, status=200, length=None, **headers):
        self.send_response(status)
        if length != "none":
            self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def good(self):
        self.answer(GOOD)

    def recompressed(self):
        self.answer(gzip.compress(CONTENT[:999], 1) + gzip.compress(CONTENT[999:], 1))

    def plain(self):
        self.answer(CONTENT)

    def without_length(self):
        self.answer(GOOD, length="none")

    def truncated_file(self):
        self.answer(GOOD[:-20])

    def cut_off(self):
        self.answer(GOOD[:50], length=len(GOOD))

    def wrong_content(self):
        self.answer(bytes(MAX_BYTES))

    def html(self):
        self.answer(b"<!doctype html><title>Please log in</title>")

    def forbidden(self):
        self.answer(b"no", status=403)

    def announces_too_much(self):
        self.answer(GOOD, length=MAX_BYTES + 1)

    def sends_too_much(self):
        self.answer(bytes(MAX_BYTES + 1), length="none")

    def bomb(self):
        self.answer(gzip.compress(bytes(MAX_BYTES + 1)))

    def bad_chunks(self):
        self.protocol_version = "HTTP/1.1"
        self.answer(b"nonsense\r\n", length="none", **{"Transfer-Encoding": "chunked"})

    def not_http(self):
        self.wfile.write(b"220 mail server\r\n\r\n")

    def reset(self):
        self.answer(GOOD[:50], length=len(GOOD))
        self.wfile.flush()
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.request.close()

    def stall(self):
        self.answer(GOOD[:50], length=len(GOOD))
        self.server.over.wait()

    def trickle_body(self):
        self.answer(b"", length=len(GOOD))
        self._trickle(b"x")

    def trickle_header(self):
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
        self._trickle(b"x")

    def _trickle(self, byte):
        while not self.server.over.wait(0.02):
            self.wfile.write(byte)

    def redirect(self):
        self.answer(b"", status=302, Location="/good")

    def redirect_loop(self):
        self.answer(b"", status=302, Location="/redirect_loop")

    def redirect_stalling_body(self):
        self.answer(b"", status=302, length=1000, Location="/good")
        self.server.over.wait()

    def redirect_to_http(self):
        self.answer(b"", status=302, Location="http://example.invalid/good")

    def redirect_to_ftp(self):
        self.answer(b"", status=302, Location="ftp://example.invalid/good")

    def redirect_to_file(self):
        self.answer(b"", status=302, Location=Path(__file__).as_uri())

    def together(self):
        """Answers only when two clients are there."""
        self.server.pair.wait(timeout=60)
        self.answer(GOOD)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.over, server.pair = [], threading.Event(), threading.Barrier(2)
    server.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "mnist" / "file.gz"


def get(server, target, *names, **limits):
    urls = [server.url + name for name in names]
    return download(urls, target, SHA256, max_bytes=MAX_BYTES, **limits)


def files(target):
    return sorted(path.name for path in target.parent.iterdir())


@pytest.mark.parametrize("name", ["good", "recompressed", "plain", "without_length", "redirect"])
def test_good_answers(server, target, name):
    assert get(server, target, name) == target
    content = target.read_bytes()
    assert (content if name == "plain" else gzip.decompress(content)) == CONTENT
    assert files(target) == ["file.gz"]


FAILURES = {
    "truncated_file": "truncated gzip file",
    "cut_off": f"truncated: 50 of {len(GOOD)} bytes came",
    "wrong_content": f"wrong content: SHA-256 .*, expected {SHA256}",
    "html": "wrong content: SHA-256",
    "forbidden": "HTTP status 403 Forbidden",
    "announces_too_much": "too large: 20001 bytes announced, at most 20000",
    "sends_too_much": "too large: at most 20000 bytes",
    "bomb": "content of more than 20000 bytes",
    "bad_chunks": "IncompleteRead|invalid literal",
    "not_http": "220 mail server",
    "reset": "reset|aborted",
    "redirect_loop": "HTTP status 302",
    "redirect_to_http": "refused 'http://example.invalid/good': expected an https address",
    "redirect_to_ftp": "refused 'ftp://example.invalid/good'",
    "redirect_to_file": "HTTP status 302.*file:.*not allowed",
}


@pytest.mark.parametrize("name, reason", FAILURES.items(), ids=FAILURES.keys())
def test_each_failure_has_its_reason_and_leaves_nothing(server, target, name, reason):
    with pytest.raises(DownloadError, match=reason) as caught:
        get(server, target, name)
    assert [url for url, _ in caught.value.reasons] == [server.url + name]
    assert server.url + name in str(caught.value) and str(target) in str(caught.value)
    assert ".minigan-part" not in str(caught.value)
    assert files(target) == []


def test_a_stalling_server_is_given_up_after_the_timeout(server, target):
    with pytest.raises(DownloadError, match="stall: timed out"):
        get(server, target, "stall", timeout=0.3)
    assert files(target) == []


@pytest.mark.parametrize("name", ["trickle_body", "trickle_header", "stall"])
def test_a_trickling_server_is_given_up_at_the_deadline(server, target, name):
    """Each byte comes well within the timeout, so the timeout alone would wait for ever."""
    with pytest.raises(DownloadError, match=rf"{name}: (too slow|timed out)"):
        get(server, target, name, timeout=300, deadline=0.3)
    assert files(target) == []


def test_nothing_is_read_after_the_deadline(server, target):
    with pytest.raises(DownloadError, match="too slow: gave up at the deadline"):
        get(server, target, "good", deadline=0)
    assert files(target) == []


def test_the_timeout_holds_for_connecting_too(target, monkeypatch):
    def connect(address, timeout, *args):
        raise TimeoutError(f"gave up connecting after {timeout} s")

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(DownloadError, match="gave up connecting after 7 s"):
        download(["https://example.invalid/"], target, SHA256, max_bytes=1, timeout=7)


def test_the_body_of_a_redirect_is_not_read(server, target):
    get(server, target, "redirect_stalling_body", timeout=5)
    assert files(target) == ["file.gz"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no umask for files")
@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_the_file_may_be_read_by_whom_the_umask_lets(server, target, umask):
    """It was the user's alone, so that a cache could not be shared."""
    before = os.umask(umask)
    try:
        get(server, target, "good")
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask


def test_falls_back_from_mirror_to_mirror(server, target):
    names = ["forbidden", "html", "cut_off", "wrong_content", "good", "never_asked"]
    get(server, target, *names)
    assert target.read_bytes() == GOOD  # and nothing left of the longer body before it
    assert server.requests == [f"/{name}" for name in names[:5]]
    assert files(target) == ["file.gz"]


def test_every_reason_is_told(server, target):
    with pytest.raises(DownloadError) as caught:
        get(server, target, "forbidden", "truncated_file", "html")
    reasons = [reason for _, reason in caught.value.reasons]
    assert reasons[:2] == ["HTTP status 403 Forbidden", "truncated gzip file"]
    assert reasons[2].startswith("wrong content")


def test_no_connection(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as taken:  # bound, but it does not listen: connections are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/good"
        with pytest.raises(DownloadError, match="refused"):
            download([url], tmp_path / "file", SHA256, max_bytes=MAX_BYTES)


def test_a_failed_download_leaves_the_old_file_and_a_good_one_replaces_it(server, target):
    target.parent.mkdir(parents=True)
    target.write_bytes(b"old")
    with pytest.raises(DownloadError):
        get(server, target, "wrong_content")
    assert target.read_bytes() == b"old"
    get(server, target, "good")
    assert target.read_bytes() == GOOD
    assert files(target) == ["file.gz"]


def test_interrupting_leaves_nothing(server, target, monkeypatch):
    def interrupt(*args):
        assert len(files(target)) == 1  # the temporary file is there
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "content_sha256", interrupt)
    with pytest.raises(KeyboardInterrupt):
        get(server, target, "good")
    assert files(target) == []


def test_only_our_own_old_temporary_files_are_removed(server, target):
    target.parent.mkdir(parents=True)
    names = {
        ".file.a1b2.minigan-part.gz": "ours, old",
        ".file.c3d4.minigan-part.gz": "ours, but of a process that may be running",
        ".other.a1b2.minigan-part.gz": "of another file",
        ".file.gz.part": "another program's",
    }
    for name in names:
        (target.parent / name).write_bytes(b"part")
        age = 60 if "c3d4" in name else 2 * 24 * 3600
        os.utime(target.parent / name, times=(time.time() - age,) * 2)
    get(server, target, "good")
    assert files(target) == sorted([*list(names)[1:], "file.gz"])


def test_two_processes_at_once(server, target):
    """The server answers only when both are waiting, so both have their temporary file then."""
    code = (
        "import sys; from minigan.data.download import download; "
        "download(sys.argv[1:2], sys.argv[2], sys.argv[3], max_bytes=20000)"
    )
    command = [sys.executable, "-c", code, server.url + "together", str(target), SHA256]
    root = str(Path(module.__file__).parents[2])
    processes = [subprocess.Popen(command, cwd=root) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert server.requests == ["/together", "/together"]
    assert target.read_bytes() == GOOD
    assert files(target) == ["file.gz"]


REFUSED = [
    "http://example.com/x",
    "http://127.0.0.1.example.com/x",
    "http://127.0.0.1@example.com/x",
    "file:///etc/passwd",
    "ftp://127.0.0.1/x",
    "data:,x",
    "https:///x",
    "https://example.com:99999/x",
    "x",
    "",
]


@pytest.mark.parametrize("url", REFUSED)
def test_only_https_or_this_machine(url, tmp_path):
    with pytest.raises(ValueError, match=r"refused|[Pp]ort"):
        check_url(url)
    with pytest.raises(ValueError):
        download(["https://example.invalid/", url], tmp_path / "new" / "x", SHA256, max_bytes=1)
    assert list(tmp_path.iterdir()) == []  # refused before anything was done


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/x",
        "HTTPS://example.com:444/x",
        "http://127.0.0.1:80/",
        "http://localhost/",
    ],
)
def test_allowed_addresses(url):
    check_url(url)


def test_no_mirrors(target):
    with pytest.raises(DownloadError, match="no mirror was given"):
        download([], target, SHA256, max_bytes=1)


@pytest.mark.parametrize("url", ["http://127.0.0.1/x", "HTTP://localhost/x"])
def test_https_is_never_left_by_a_redirect(url):
    request = urllib.request.Request("https://example.com/x")
    with pytest.raises(ValueError, match="a redirect from https to another address"):
        module._CheckedRedirects().redirect_request(request, io.BytesIO(), 302, "Found", {}, url)

"""Download a file from the first of several mirrors that gives the right content.

One temporary file is filled by one mirror after another, verified by the SHA-256 of its
*uncompressed* content, and only then renamed (see `files.replacing`). So its name never holds
anything unverified, a mirror that recompressed the file passes, and two processes that download
at once (each into its own temporary file) both end with the right file.

A mirror can fail in many ways, and each must end: it refuses, sends an error page, stops in the
middle, stalls, or sends one byte a second for ever. Against the last, `_TimedReader` puts a time
limit under everything that is read, the header lines included.
"""

import http.client
import io
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from tqdm import tqdm

from minigan.data.idx import IdxError, content_sha256
from minigan.files import expanded, remove_stale, replacing

__all__ = ["DownloadError", "check_url", "download"]

CHUNK = 1 << 16
LOOPBACK = ("127.0.0.1", "localhost")
STALE_SECONDS = 24 * 3600.0  # far above any deadline: whoever wrote to such a file was killed


class DownloadError(RuntimeError):
    """No mirror gave the file: `reasons` holds one pair (url, reason) for each that was tried."""

    def __init__(self, path, reasons):
        super().__init__(path, reasons)
        self.path, self.reasons = path, reasons

    def __str__(self):
        lines = [f"  {url}: {reason}" for url, reason in self.reasons] or ["  no mirror was given"]
        return "\n".join([f"no mirror gave {self.path}:", *lines])


def check_url(url):
    """Raise ValueError unless `url` is https, or plain http to this machine.

    Redirects go through the same check. Plain http is let through for the literal loopback host
    alone (tests, and mirrors on the own machine): those bytes never cross a network, so there is
    nobody on the way who could read or change them. The content is verified in either case.
    """
    parts = urllib.parse.urlsplit(url)
    _ = parts.port  # raises ValueError where it is no number from 0 to 65535
    https = parts.scheme == "https" and parts.hostname
    if not https and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError(f"refused {url!r}: expected an https address")


def download(urls, path, sha256, *, max_bytes, timeout=20.0, deadline=600.0):
    """Download `path` from the first of `urls` that gives content with the digest `sha256`.

    urls: addresses of the same file, gzipped or not, tried in order; https (see `check_url`).
    path: where the file goes; missing folders are made, an existing file is replaced. sha256: of
    the uncompressed content, in hexadecimal. max_bytes: limit for the file as sent, and for its
    uncompressed content. timeout: seconds to connect, and seconds of silence, after which a mirror
    is given up. deadline: seconds in all, after which a mirror is given up (the system's look-up
    of its name apart).

    Returns the path as a `Path`. Raises DownloadError if every mirror failed, with the reason of
    each; ValueError, before anything is done, if one of `urls` is refused by `check_url`; OSError
    if the folder cannot be written.
    """
    for url in urls:
        check_url(url)
    path = expanded(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(path, STALE_SECONDS)
    reasons = []
    with replacing(path) as temporary:
        for url in urls:
            try:
                _fetch(url, temporary, path.name, max_bytes, timeout, deadline)
                found = content_sha256(temporary, max_bytes)
                if found != sha256:
                    raise ValueError(f"wrong content: SHA-256 {found}, expected {sha256}")
                return path
            except (OSError, http.client.HTTPException, ValueError) as error:
                reasons.append((url, _reason(error)))
        raise DownloadError(path, reasons)


def _fetch(url, target, label, max_bytes, timeout, deadline):
    """Write what `url` sends, at most `max_bytes`, to the file `target`."""
    handler = _TimedHandler(timeout, time.monotonic() + deadline)
    opener = urllib.request.build_opener(handler, _CheckedRedirects)
    request = urllib.request.Request(url, headers={"User-Agent": "minigan"})
    with opener.open(request, timeout=timeout) as response, open(target, "wb") as file:
        announced, received = response.length, 0
        if announced is not None and announced > max_bytes:
            raise ValueError(f"too large: {announced} bytes announced, at most {max_bytes} taken")
        disable = sys.stderr is None or None  # no bar without a terminal
        with tqdm(
            total=announced, desc=label, unit="B", unit_scale=True, leave=False, disable=disable
        ) as bar:
            # read1 returns what has come, so that the bar moves and the limit is seen at once.
            while chunk := response.read1(CHUNK):
                received += len(chunk)
                if received > max_bytes:
                    raise ValueError(f"too large: at most {max_bytes} bytes are taken")
                file.write(chunk)
                bar.update(len(chunk))
    if announced is not None and received < announced:
        raise ValueError(f"truncated: {received} of {announced} bytes came")


def _reason(error):
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"HTTP status {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    if isinstance(error, IdxError):
        return error.reason  # without the name of the temporary file
    return str(error) or type(error).__name__


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        fp.close()  # otherwise urllib reads the whole body of the redirect, however long it is
        check_url(newurl)
        if req.type == "https" and urllib.parse.urlsplit(newurl).scheme != "https":
            raise ValueError(f"refused {newurl!r}: a redirect from https to another address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _TimedHandler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens http and https addresses with a `_TimedReader` under each response."""

    def __init__(self, timeout, end):
        super().__init__()
        self._limits = timeout, end

    def do_open(self, connection_class, req, **options):
        def connect(host, **options):
            connection = connection_class(host, **options)
            connection.response_class = self._respond
            return connection

        return super().do_open(connect, req, **options)

    def _respond(self, sock, *args, **options):
        response = http.client.HTTPResponse(sock, *args, **options)
        response.fp.close()
        response.fp = io.BufferedReader(_TimedReader(sock, *self._limits))
        return response


class _TimedReader(io.RawIOBase):
    """Reads a socket until the moment `end`, and waits at most `timeout` seconds for each byte.

    A socket's own timeout starts anew with each byte, so a server that trickles never meets it.
    """

    def __init__(self, sock, timeout, end):
        self._sock, self._timeout, self._end = sock, timeout, end
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self):
        return True

    def readinto(self, buffer):
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("too slow: gave up at the deadline")
        self._sock.settimeout(min(self._timeout, left))
        return self._raw.readinto(buffer)

    def close(self):
        self._raw.close()
        super().close()

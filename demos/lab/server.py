"""The server: one address with a secret in it, and behind it as many games as pages, up to a limit.

Everything happens in one thread: each page's `work` trains for a slice of the event loop, and
between two slices commands are taken and frames are sent. A frame is made when the page says that
it is ready for one, so that frames are dropped, and never queued: whatever a page does or leaves
undone, at most two sets of messages wait for it (`page/connection.js`).

Other pages of the same browser must not play: the address holds a token, Host must be a name of
this machine (against DNS rebinding), and Origin must be this server's own.
"""

import asyncio
import contextlib
import hmac
import json
import secrets
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from lab.bundle import FILES, one_page
from lab.console import Console
from lab.messages import as_json, options

__all__ = ["LabServer"]

#: Seconds of training between two looks at what pages say, shared by all games that play.
SLICE = 0.01

#: Turns of the event loop between two slices: a message takes several until it has been read.
TURNS = 6

#: Games at once; connections at once; the longest message of a page, in bytes.
MOST_GAMES, MOST_CONNECTIONS, LONGEST = 8, 128, 1 << 14

#: Seconds between two pictures of a head start, which only says how far it is.
HEAD_START_PICTURES = 0.5

LOOPBACK = ("127.0.0.1", "localhost", "::1")

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class LabServer:
    """Serves the lab: after `start_listening`, `address` is where it is.

    host: the address to listen on. port: 0 takes a free one. public_names: names under which a
    proxy in front of it is known (a notebook server, a code space). new_console: makes a page's
    game.
    """

    def __init__(self, new_console=Console, *, host="127.0.0.1", port=0, public_names=()):
        self.new_console, self.token = new_console, secrets.token_urlsafe(16)
        self.host, self.port, self.public_names = host, port, tuple(public_names)
        self.tables = set()
        pages = [
            (r"/([^/]+)/socket", Seat, {"server": self}),
            (r"/([^/]+)/?([\w.]*)", Files, {"server": self}),
            (r"/.*", Nothing),
        ]
        application = Application(
            pages, websocket_ping_interval=20, websocket_max_message_size=LONGEST,
            log_function=lambda handler: None,
        )  # fmt: skip
        self.door = Door(application, idle_connection_timeout=60, max_body_size=LONGEST)

    def start_listening(self):
        sockets = bind_sockets(self.port, self.host, family=socket.AF_UNSPEC)
        self.port = sockets[0].getsockname()[1]
        self.door.add_sockets(sockets)

    async def stop(self):
        """Let nobody in any more, end all games, and wait until their sockets are closed."""
        self.door.stop()
        for table in self.tables:
            table.close()
        await self.door.close_all_connections()
        while self.tables:
            await asyncio.sleep(0.01)

    @property
    def address(self):
        """With the token; for the browser on this machine."""
        host = self.host if self.host not in ("", "0.0.0.0", "::") else "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/{self.token}/"

    def refuse_strangers(self, request, token):
        """HTTPError 403 unless the request is for this machine and knows the token."""
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            raise HTTPError(403, reason="The address lacks the token that lab.py printed")
        if self.host in LOOPBACK and hostname(f"//{request.host}") not in self.names():
            raise HTTPError(403, reason="Not a name of this machine: see --public-name")

    def names(self):
        return {*LOOPBACK, self.host, *self.public_names}

    def is_own(self, origin, request):
        """Whether a page of that origin is this server's: its name and port, or the proxy's."""
        return urlsplit(origin).netloc == request.host or hostname(origin) in self.public_names


class Door(HTTPServer):
    """Counts the connections, other than those of pages that play."""

    connections = 0

    def handle_stream(self, stream, address):
        """Refuse connections beyond the limit at once, before they cost anything."""
        if self.connections >= MOST_CONNECTIONS:
            stream.close()
        else:
            self.connections += 1
            super().handle_stream(stream, address)

    def on_close(self, server_conn):
        self.connections -= 1
        super().on_close(server_conn)


def hostname(address):
    """Of an address such as http://[::1]:8000; None where there is none."""
    with contextlib.suppress(ValueError):
        return urlsplit(address).hostname
    return None


class Nothing(RequestHandler):
    """What is not there; and of all answers, the headers."""

    def set_default_headers(self):
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.clear_header("Server")

    def prepare(self):
        raise HTTPError(404)

    def write_error(self, status_code, **details):
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}: {self._reason}\n")


class Files(Nothing):
    """The page's files, by name: no path is ever looked up."""

    def initialize(self, server):
        self.server = server

    def prepare(self):
        self.server.refuse_strangers(self.request, self.path_args[0])

    def get(self, token, name):
        if not self.request.path.endswith(name or "/"):
            self.redirect(f"{token}/")
            return
        name = name or "index.html"
        if name == "recording.html":
            content = one_page()
        elif name in FILES:
            content = FILES[name].read_text(encoding="utf-8")
        else:
            raise HTTPError(404)
        self.set_header("Content-Type", f"{TYPES[Path(name).suffix]}; charset=utf-8")
        self.write(content)


class Seat(WebSocketHandler):
    """A page at the table: its game, its commands, its frames."""

    def initialize(self, server):
        self.server, self.console, self.task, self.sent = server, None, None, None
        self.ready, self.heard = True, asyncio.Event()

    def prepare(self):
        self.server.refuse_strangers(self.request, self.path_args[0])

    def check_origin(self, origin):
        return self.server.is_own(origin, self.request)

    async def open(self, token):
        if len(self.server.tables) >= MOST_GAMES:
            text = f"{MOST_GAMES} pages are open already: close one, and load this one again."
            self.write_message(as_json({"kind": "say", "text": text}))
            self.close(1013, "too many games")
            return
        self.server.tables.add(self)
        self.console = self.server.new_console()
        self.send([options()])
        self.task = asyncio.ensure_future(self.run())

    def on_message(self, text):
        """A command, or the news that the page has drawn what it was sent."""
        try:
            message = json.loads(text) if isinstance(text, str) else None
            if message == {"do": "ready"}:
                self.ready = True
            elif self.console is not None:
                self.console.command(message)
        except (ValueError, RecursionError) as error:
            if self.console is not None:
                self.console.say(str(error)[:300])
        self.heard.set()

    def on_close(self):
        """Nothing is left of the game."""
        self.server.tables.discard(self)
        if self.task is not None:
            self.task.cancel()
        self.console = self.task = None

    async def run(self):
        """Train, send, listen; for as long as the page is there.

        Training gets at least as much time as pictures take, on a busy machine, too.
        """
        drawing = due = 0.0
        with contextlib.suppress(WebSocketClosedError):
            while True:
                self.heard.clear()
                playing = sum(table.console.busy for table in self.server.tables)
                trained = self.console.work(max(SLICE / max(1, playing), drawing))
                start, told = time.perf_counter(), []
                if self.free and (start >= due or not self.console.waiting):
                    told = self.console.messages()
                if told:
                    self.send(told)
                    drawing, due = time.perf_counter() - start, start + HEAD_START_PICTURES
                await self.pause(0 if trained or told else 0.01 if self.console.busy else None)

    @property
    def free(self):
        """Whether the page has drawn all that it was sent."""
        return self.ready and (self.sent is None or self.sent.done())

    async def pause(self, seconds):
        """Let others have their turn; with None, until the page says something."""
        if seconds == 0:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.heard.wait(), seconds)

    def send(self, messages):
        self.ready = False
        self.sent = self.write_message("[" + ",".join(map(as_json, messages)) + "]")
        self.sent.add_done_callback(lambda sent: sent.cancelled() or sent.exception())  # it closed

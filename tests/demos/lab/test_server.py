"""Tests of the lab's server through real sockets: games, and input that means harm."""

import asyncio
import gc
import json
import socket as socketlib
import weakref
from functools import partial

import pytest

pytest.importorskip("tornado", reason="the lab's page needs tornado")

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from lab import server as module
from lab.console import Console
from lab.server import LabServer
from lab.settings import Settings

SMALL = Settings(generator_width=8, discriminator_width=8, batch=16)


def serving(test):
    """The test as a coroutine beside a server that is stopped at its end."""

    def run():
        async def main():
            server = LabServer(partial(Console, SMALL))
            server.start_listening()
            server.guests = []
            try:
                await asyncio.wait_for(test(server), 30)
            finally:
                for guest in server.guests:
                    guest.close()
                await server.stop()

        asyncio.run(main())

    run.__doc__, run.__name__ = test.__doc__, test.__name__
    return run


def request(server, path="socket", *, token=None, scheme="ws", **headers):
    address = (
        f"{scheme}://127.0.0.1:{server.port}/{server.token if token is None else token}/{path}"
    )
    return HTTPRequest(address, headers=headers)


async def page(server, **headers):
    """An open page that has got its first messages, and those."""
    socket = await connect(server, **headers)
    return socket, await read(socket)


async def connect(server, **options):
    server.guests.append(await websocket_connect(request(server, **options)))
    return server.guests[-1]


async def read(socket):
    """The next messages, by kind; the page is ready for more."""
    text = await socket.read_message()
    found = json.loads(text)
    await socket.write_message('{"do": "ready"}')
    return {message["kind"]: message for message in (found if isinstance(found, list) else [found])}


async def ask(socket, **command):
    await socket.write_message(json.dumps(command))


async def frame_with(socket, holds):
    while True:
        found = await read(socket)
        if "frame" in found and holds(found["frame"]):
            return found


async def status(server, **options):
    """The status of a GET."""
    try:
        return (await AsyncHTTPClient().fetch(request(server, scheme="http", **options))).code
    except HTTPClientError as error:
        return error.code


@serving
async def test_a_page_plays(server):
    socket, first = await page(server)
    assert "options" in first
    assert (await read(socket))["game"]["number"] == 1
    await ask(socket, do="play")
    found = await frame_with(socket, lambda frame: frame["step"] > 5)
    assert found["frame"]["playing"]
    await ask(socket, do="pause")
    await frame_with(socket, lambda frame: not frame["playing"])


@serving
async def test_the_page_and_its_files(server):
    client = AsyncHTTPClient()
    index = await client.fetch(request(server, "", scheme="http"))
    assert b"<title>minigan lab</title>" in index.body
    assert "default-src 'self'" in index.headers["Content-Security-Policy"]
    assert index.headers["Referrer-Policy"] == "no-referrer"
    script = await client.fetch(request(server, "app.js", scheme="http"))
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert await status(server, path="recording.html") == 200
    for path in ("settings.py", "..", "../lab.py", "%2e%2e/settings.py", "a/b", "x.js"):
        assert await status(server, path=path) == 404, path


@serving
async def test_two_pages_are_two_games(server):
    (one, _), (two, _) = await page(server), await page(server)
    await ask(one, do="play")
    await frame_with(one, lambda frame: frame["step"] > 5)
    other = (await frame_with(two, lambda frame: True))["frame"]
    assert other["step"] == 0 and not other["playing"]


@serving
async def test_strangers_are_refused(server):
    own = f"http://127.0.0.1:{server.port}"
    assert await status(server, token="x" * 22) == 403
    assert await status(server, path="", token="") in (403, 404)
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "a@b:c"):
        assert await status(server, path="", Host=host) in (400, 403), host
    assert await status(server, path="", Host="localhost:1") == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"{own}.evil.example", "["):
        with pytest.raises(HTTPClientError) as refusal:
            await page(server, Origin=origin)
        assert refusal.value.code == 403, origin
    await page(server, Origin=own)
    with pytest.raises(HTTPClientError):
        await connect(server, token="wrong")
    assert len(server.tables) == 1


@serving
async def test_a_proxy_has_its_own_name(server):
    server.public_names = ("notebook.example",)
    assert await status(server, path="", Host="notebook.example") == 200
    await page(server, Host="notebook.example", Origin="https://notebook.example")
    await page(server, Host="localhost", Origin="https://notebook.example")
    with pytest.raises(HTTPClientError):
        await page(server, Host="notebook.example", Origin="https://evil.example")


MALFORMED = [
    "", "{", "[]", "null", '"play"', "NaN", '{"do": "fly"}', '{"do": NaN}', "[" * 5000,
    '{"do": "new", "settings": {"generator_layers": 1000000000}}', "1" * 10_000,
    '{"do": "set", "settings": {"generator_lr": Infinity}}', '{"do": "new", "scene": {"a": []}}',
    '{"do": "new", "settings": {"points": "' + "5050." * 2000 + '5050", "data": "drawn"}}',
    '{"do": "magnify", "player": "G", "position": 1e99}', b"\x00\xff", "\ud7ff",
]  # fmt: skip


@serving
async def test_malformed_messages_are_answered_and_harm_nobody(server):
    socket, _ = await page(server)
    game = next(iter(server.tables)).console.experiment
    await read(socket)
    for text in MALFORMED:
        await socket.write_message(text, binary=isinstance(text, bytes))
        answer = await frame_with(socket, lambda frame: frame["message"])
        assert len(answer["frame"]["message"]) <= 300
        await ask(socket, do="pause")
        await frame_with(socket, lambda frame: not frame["message"])
    assert next(iter(server.tables)).console.experiment is game


@serving
async def test_a_message_that_is_too_long_ends_that_page_alone(server):
    (long, _), (other, _) = await page(server), await page(server)
    await long.write_message("x" * 100_000)
    while await long.read_message() is not None:
        pass
    await ask(other, do="step")
    await frame_with(other, lambda frame: frame["step"] == 1)
    assert len(server.tables) == 1


@serving
async def test_a_page_that_stops_reading_stops_nothing_and_holds_one_frame(server):
    """The game goes on, and nothing is queued, even if it goes on asking."""
    socket = await connect(server)
    table = next(iter(server.tables))
    sent = []
    write, table.write_message = table.write_message, lambda text: sent.append(text) or write(text)
    await ask(socket, do="play")
    while table.console.experiment.steps < 50:
        await asyncio.sleep(0.01)
    assert len(sent) == 0  # the first messages were never acknowledged
    other, _ = await page(server)
    await ask(other, do="step")
    await frame_with(other, lambda frame: frame["step"] == 1)


@serving
async def test_a_closed_page_leaves_nothing(server):
    socket, _ = await page(server)
    await ask(socket, do="play")
    await frame_with(socket, lambda frame: frame["step"] > 2)
    gone = weakref.ref(next(iter(server.tables)).console.experiment)
    socket.close()
    while server.tables:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    gc.collect()
    assert gone() is None


@serving
async def test_more_pages_than_games_are_told_so(server):
    pages = [await page(server) for _ in range(module.MOST_GAMES)]
    late = await connect(server)
    assert "close one" in json.loads(await late.read_message())["text"]
    assert await late.read_message() is None and late.close_code == 1013
    assert len(server.tables) == module.MOST_GAMES
    pages[0][0].close()
    while len(server.tables) == module.MOST_GAMES:
        await asyncio.sleep(0.01)
    await page(server)


@serving
async def test_a_thousand_connections(server):
    """Beyond the limit they are closed at once; a page that plays goes on, and others come in."""
    socket, _ = await page(server)
    await ask(socket, do="play")
    loop, opened = asyncio.get_running_loop(), []
    for _ in range(10):
        strangers = [socketlib.socket() for _ in range(100)]
        for stranger in strangers:
            stranger.setblocking(False)
        address = "127.0.0.1", server.port
        await asyncio.gather(*(loop.sock_connect(stranger, address) for stranger in strangers))
        assert server.door.connections <= module.MOST_CONNECTIONS
        for stranger in opened[:100]:  # of this process's files, too, there are only so many
            stranger.close()
        opened = opened[100:] + strangers
    steps = next(iter(server.tables)).console.experiment.steps
    await frame_with(socket, lambda frame: frame["step"] > steps)
    for stranger in opened:
        stranger.close()
    while server.door.connections > 1:
        await asyncio.sleep(0.01)
    await page(server)

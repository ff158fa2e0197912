"""What a server of products does with requests that no browser sends: answers, refuses, closes."""

import socket
import struct
import threading
import time
from http.client import HTTPConnection

import pytest

from seaice.browse.index import shelf
from seaice.browse.server import server
from tests.test_browse import written

IDLE, DEADLINE = 0.4, 0.8


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    written(out, "2020-03-03")
    return shelf([out])


@pytest.fixture
def port(products):
    serving = server(products, 0, idle=IDLE, deadline=DEADLINE)
    threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01}).start()
    yield serving.server_port
    serving.shutdown()
    serving.server_close()


@pytest.fixture(autouse=True)
def quiet(capfd, caplog):
    """Nothing is printed or logged of what clients do wrong."""
    yield
    time.sleep(0.05)
    told = capfd.readouterr()
    assert "Traceback" not in told.err + told.out
    assert caplog.text == ""


def connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def all_of(connection):
    """All that comes until the server closes the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:  # it closed with our bytes unread
        pass
    return b"".join(parts)


def code_of(port, request):
    with connected(port) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        told = all_of(connection)
    return int(told.split(b" ", 2)[1]) if told.startswith(b"HTTP/") else told


def get(target, host=b"localhost"):
    return b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"


def handlers():
    return [each for each in threading.enumerate() if "process_request_thread" in each.name]


def wait_until(law):
    end = time.monotonic() + 5
    while not law():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (b"/index.json", 200),
        (b"http://localhost/index.json", 200),
        (b"http://evil.example/index.json", 403),
        (b"http://[bad/", 400),
        (b"/%zz", 400),
        (b"/%", 400),
        (b"/index.json?a=%4", 400),
        (b"/\x00index.json", 400),
        (b"/%00index.json", 400),
        (b"/\xff\xfe", 400),
        (b"/\x7f", 400),
        (b"/cell/x.json?" + b"a=1&" * 100, 400),
        (b"/cell/x.json?row=" + b"9" * 10000, 404),
        (b"/" + b"a" * 60000, 404),
        (b"/" + b"a" * 70000, 414),
        (b"/../../etc/passwd", 404),
        (b"*", 404),
    ],
)  # fmt: skip
def test_a_malformed_address_is_refused(port, target, code):
    assert code_of(port, get(target)) == code


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"\r\n\r\n", b""),
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"GET / FTP/1.0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n", 400),
        (b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 70000 + b"\r\n\r\n", 431),
        (get(b"/", host=b"evil.example"), 403),
        (b"GET / HTTP/1.1\r\n\r\n", 403),
    ],
)
def test_what_is_no_request_is_refused(port, request_, code):
    result = code_of(port, request_)
    without_head = f"Error code: {code}".encode()  # what is taken for HTTP/0.9
    assert result == code or without_head in result


def test_a_body_is_no_further_request(port):
    smuggled = get(b"/index.html")
    head = b"GET /index.json HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    with connected(port) as connection:
        connection.sendall(head % len(smuggled) + smuggled)
        assert all_of(connection).count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize("sent", [b"", b"GET /index.json HTTP/1.1\r\n", get(b"/index.json")[:-2]])
def test_a_client_that_sends_no_more_is_let_go(port, sent):
    start = time.monotonic()
    with connected(port) as connection:
        connection.sendall(sent)
        assert all_of(connection) == b""
    assert time.monotonic() - start < 5 * IDLE
    wait_until(lambda: not handlers())


def test_a_client_that_sends_byte_by_byte_has_a_deadline(port):
    start = time.monotonic()

    def sent_slowly(connection):
        for _ in range(200):
            connection.sendall(b"G")
            time.sleep(IDLE / 8)

    with connected(port) as connection, pytest.raises(ConnectionError):
        sent_slowly(connection)
    assert time.monotonic() - start < 5 * DEADLINE
    wait_until(lambda: not handlers())


def test_a_connection_that_is_kept_is_used_again_and_closed_when_idle(port):
    kept = HTTPConnection("127.0.0.1", port, timeout=10)
    kept.connect()
    connection = kept.sock
    for _ in range(3):
        kept.request("GET", "/index.json", headers={"Host": "localhost"})
        answer = kept.getresponse()
        assert (answer.status, answer.read()[:1], kept.sock) == (200, b"{", connection)
        time.sleep(IDLE / 4)
    assert all_of(connection) == b""  # closed
    kept.close()
    wait_until(lambda: not handlers())


@pytest.mark.parametrize("sent", [b"GET /ol.js HT", get(b"/ol.js"), get(b"/ol.js") * 5])
def test_a_client_that_goes_away_is_no_error(port, sent):
    """It resets the connection, before or while it is answered."""
    for _ in range(5):
        with connected(port) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(sent)
    assert code_of(port, get(b"/index.json")) == 200
    wait_until(lambda: not handlers())


def test_connections_are_no_more_than_some(port):
    many = [connected(port) for _ in range(100)]
    wait_until(lambda: len(handlers()) <= 64)
    for connection in many:
        connection.close()
    wait_until(lambda: not handlers())
    assert code_of(port, get(b"/index.json")) == 200

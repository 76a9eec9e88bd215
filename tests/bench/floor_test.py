"""The floor of scripts/bench, a program given as the first argument: that it answers only what two
of three nodes have, or it would be no bound for those that do."""

import os
import shutil
import signal
import socket
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "scripts", "bench.d"))
sys.dont_write_bytecode = True

import targets  # noqa: E402

PROGRAM = sys.argv.pop(1)


def ask(port, request, seconds=10):
    """The first line of the answer; nothing when there is none in time."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(seconds)
        connection.sendall(request.encode())
        try:
            return connection.recv(4096).decode().split("\r\n")[0]
        except TimeoutError:
            return None


PUT = "PUT /v1/kv/a HTTP/1.1\r\nContent-Length: 5\r\n\r\nvalue"
GET = "GET /v1/kv/a?consistency=linearizable HTTP/1.1\r\n\r\n"
LOCAL = "GET /v1/kv/a?consistency=prefix HTTP/1.1\r\n\r\n"


class FloorTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="parallax-floor-")
        self.floor = targets.Floor(self.directory, os.path.dirname(PROGRAM))
        self.floor.start()

    def tearDown(self):
        self.halt(signal.SIGCONT, "2", "3")
        self.floor.stop()
        shutil.rmtree(self.directory)

    def halt(self, signal_number, *nodes):
        for node in nodes:
            os.kill(self.floor.pids[node], signal_number)

    def test_a_majority_is_asked(self):
        for request in (PUT, GET, LOCAL):
            self.assertEqual(ask(self.floor.port, request), "HTTP/1.1 200 OK")
        with open(os.path.join(self.floor.directory, "log-1"), "rb") as log:
            self.assertEqual(log.read(len(PUT)).decode(), PUT)
        self.halt(signal.SIGSTOP, "2")
        for request in (PUT, GET):
            self.assertEqual(ask(self.floor.port, request), "HTTP/1.1 200 OK")
        self.halt(signal.SIGSTOP, "3")
        for request in (PUT, GET):
            self.assertIsNone(ask(self.floor.port, request, 1))
        self.assertEqual(ask(self.floor.port, LOCAL), "HTTP/1.1 200 OK")


if __name__ == "__main__":
    unittest.main()

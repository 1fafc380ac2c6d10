"""A web server on this machine that can misbehave in the ways real ones do."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BAD = ["fails", "missing", "silent", "stalls", "truncates", "breaks-off", "corrupts"]


class Server(ThreadingHTTPServer):
    """Serves `files` at /BEHAVIOUR/NAME, and notes every request."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.requests = []
        self.closing = threading.Event()
        self.stalled = threading.Event()

    def mirror(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{behaviour}/"

    def handle_error(self, request, client_address):
        pass  # a client that gave up: nothing to print


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        behaviour, file = self.path.strip("/").split("/")
        self.server.requests.append(self.path)
        body = self.server.files[file]
        if behaviour == "fails-once":
            behaviour = "fails" if len(self.server.requests) == 1 else "good"
        if behaviour == "stalls-later":
            behaviour = "stalls" if len(self.server.requests) == 4 else "good"
        if behaviour == "silent":
            self.server.closing.wait()
            return
        if behaviour in ("fails", "missing"):
            self.send_error(500 if behaviour == "fails" else 404)
            return
        if behaviour == "slow":
            time.sleep(0.05)
        self.send_response(200)
        if behaviour != "truncates":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if behaviour == "corrupts":
            body = body[:-1] + bytes([body[-1] ^ 1])
        if behaviour in ("good", "slow", "corrupts"):
            self.wfile.write(body)
            return
        self.wfile.write(body[: len(body) // 2])  # stalls, truncates, breaks off
        if behaviour == "stalls":
            self.wfile.flush()
            self.server.stalled.set()
            self.server.closing.wait()

    def log_message(self, *args):
        pass


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Server]:
    """Run a server for as long as the block lasts."""
    server = Server(files)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()

"""Local HTTP server whose paths each misbehave in one way."""

import collections
import email.utils
import gzip
import http.server
import threading
import time

from poster_zoo import draw_poster, encode, huge_png

_POSTERS = [encode(draw_poster(seed, 91, 134)) for seed in range(8)]
_WEBP = encode(draw_poster(9, 91, 134), "WEBP")
_HUGE = huge_png(12_000)
_ZIPPED = gzip.compress(bytes(30_000_000))


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # Clients are expected to hang up.


class MisbehavingServer:
    """Run the server in a thread, as a context manager.

    Args:
        delay: Seconds that each `/good/...` response takes. Defaults to 0.

    Attributes:
        hits: Number of requests for each path.
        most_at_once: Maximum number of simultaneous requests.
    """

    def __init__(self, delay=0.0):
        self.delay = delay
        self.hits = collections.Counter()
        self.times = collections.defaultdict(list)
        self.agents = set()
        self.sent = 0
        self.most_at_once = self._at_once = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def __enter__(self):
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error):
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def url(self, path, host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    def enter(self, path, agent):
        with self._lock:
            self.hits[path] += 1
            self.times[path].append(time.monotonic())
            self.agents.add(agent)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            return self.hits[path]

    def leave(self):
        with self._lock:
            self._at_once -= 1

    def sleep(self, seconds):
        """Sleep, at most until the server closes."""
        if self._closing.wait(seconds):
            raise ConnectionAbortedError


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        time_number = self.owner.enter(self.path, self.headers["User-Agent"])
        try:
            behavior = self.path.split("/")[1].split("?")[0].replace("-", "_")
            getattr(self, f"serve_{behavior}")(time_number)
        finally:
            self.owner.leave()

    def answer(self, content=b"", status=200, length=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def hang_up(self):
        self.close_connection = True

    def serve_good(self, _):
        self.owner.sleep(self.owner.delay)
        self.answer(_POSTERS[sum(self.path.encode()) % len(_POSTERS)])

    def serve_webp(self, _):
        self.answer(_WEBP)

    def serve_missing(self, _):
        self.answer(b"not here", 404)

    def serve_busy(self, time_number):
        if time_number == 1:
            return self.answer(status=429, Retry_After="1")
        self.answer(_POSTERS[0])

    def serve_busy_until(self, time_number):
        if time_number == 1:
            return self.answer(status=503, Retry_After=email.utils.formatdate(time.time() + 2, usegmt=True))
        self.answer(_POSTERS[0])

    def serve_busy_all_day(self, _):
        self.answer(status=429, Retry_After="86400")

    def serve_fails_once(self, time_number):
        if time_number == 1:
            return self.answer(status=500)
        self.answer(_POSTERS[0])

    def serve_always_fails(self, _):
        self.answer(status=503)

    def serve_trickle(self, _):
        self.send_response(200)
        self.send_header("Content-Length", str(len(_POSTERS[0])))
        self.end_headers()
        for byte in _POSTERS[0]:
            self.wfile.write(bytes([byte]))
            self.owner.sleep(0.05)

    def serve_trickling_headers(self, _):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(1000):
            self.wfile.write(b"x")
            self.owner.sleep(0.05)

    def serve_silence(self, _):
        self.owner.sleep(60)

    def serve_half(self, _):
        self.answer(_POSTERS[0][: len(_POSTERS[0]) // 2], length=len(_POSTERS[0]))
        self.hang_up()

    def serve_half_once(self, time_number):
        if time_number == 1:
            return self.serve_half(time_number)
        self.answer(_POSTERS[0])

    def serve_length_too_large(self, _):
        self.answer(_POSTERS[0], length=len(_POSTERS[0]) + 1)
        self.hang_up()

    def serve_length_too_small(self, _):
        self.answer(_POSTERS[0], length=len(_POSTERS[0]) - 50)
        self.hang_up()

    def serve_html(self, _):
        self.answer(b"<html><body>Sign in to see this picture</body></html>", Content_Type="image/jpeg")

    def serve_nothing(self, _):
        self.answer(b"")

    def serve_truncated(self, _):
        self.answer(_POSTERS[0][:-50])

    def serve_huge_picture(self, _):
        self.answer(_HUGE)

    def serve_endless(self, _):
        self.send_response(200)
        self.end_headers()
        while True:
            self.owner.sent += self.wfile.write(bytes(65536))

    def serve_zipped_bomb(self, _):
        self.answer(_ZIPPED, Content_Encoding="gzip")

    def serve_bad_zip(self, _):
        self.answer(b"this is not gzip", Content_Encoding="gzip")

    def serve_gibberish(self, _):
        self.wfile.write(b"\0\1\2 this is no HTTP\r\n\r\n")
        self.hang_up()

    def serve_loop(self, _):
        self.answer(status=302, Location=self.path)

    def serve_moved(self, _):
        self.answer(status=301, Location="/good/moved")

    def serve_to(self, _):
        self.answer(status=302, Location=self.path.split("?", 1)[1])

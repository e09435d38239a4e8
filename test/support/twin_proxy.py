"""One page for two scrapers: an HTTP server that asks each source once per
round and hands the same bytes to both.

A round of a path is how often its scraper has asked for it before: the k-th
scrape by Prometheus and the k-th by narthex get the same answer, whenever they
come.  Sources are live servers (Upstream) or functions of the round.  Answers
may be slow, cut short, endless or garbage.
"""

import gzip
import socketserver
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROTOBUF = ("application/vnd.google.protobuf; "
            "proto=io.prometheus.client.MetricFamily; encoding=delimited")
ENDLESS_SECONDS = 20


@dataclass
class Reply:
    body: bytes = b""
    type: str = TEXT  # "": no Content-Type
    status: str = "200 OK"
    headers: tuple = ()
    raw: bytes = None  # all that is sent, instead of the above
    delay: float = 0  # seconds before anything is sent
    packed: bool = False  # by gzip, if the scraper takes it
    promised: int = None  # Content-Length, if not the body's
    chunks: tuple = None  # a chunked body of these, instead
    endless: bytes = None  # chunks of these until the scraper leaves
    close: bool = False

    def head(self, *more):
        lines = [f"HTTP/1.1 {self.status}"]
        if self.type:
            lines.append(f"Content-Type: {self.type}")
        lines += self.headers
        lines += more
        if self.close:
            lines.append("Connection: close")
        return "\r\n".join(lines).encode() + b"\r\n\r\n"


@dataclass
class Request:
    path: str  # with its query
    headers: dict  # names in lower case
    agent: str  # "prometheus" or "narthex"
    number: int  # rounds before this one


class Upstream:
    """A live server, asked as the scraper that comes first asks."""

    def __init__(self, url, accept=None):
        self.url = url
        self.accept = accept  # instead of the scraper's

    def __call__(self, request):
        headers = {k: v for k, v in request.headers.items()
                   if k in ("accept", "user-agent",
                            "x-prometheus-scrape-timeout-seconds")}
        if self.accept:
            headers["accept"] = self.accept
        asked = urllib.request.Request(self.url, headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return Reply(answer.read(), answer.headers["Content-Type"])
        except (urllib.error.URLError, OSError) as error:
            return Reply(str(error).encode(), status="502 Bad Gateway")


@dataclass
class Path:
    source: object  # Request -> Reply
    lock: threading.Lock = field(default_factory=threading.Lock)
    replies: list = field(default_factory=list)
    requests: list = field(default_factory=list)  # as they came


class TwinProxy:
    def __init__(self, sources):
        """`sources`: path without its query -> function of a Request."""
        self.paths = {path: Path(source) for path, source in sources.items()}
        self.errors = []

        class Handler(socketserver.StreamRequestHandler):
            def handle(handler):
                self._serve(handler)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 1024

        self.new_server = lambda: Server(("127.0.0.1", 0), Handler)
        self.servers = []
        self.address = self.new_address()

    def new_address(self):
        """A port more, for those who must not share connections."""
        server = self.new_server()
        self.servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{server.server_address[1]}"

    def rounds(self, path, agent):
        with self.paths[path].lock:
            return sum(r.agent == agent for r in self.paths[path].requests)

    def first_request(self, path, agent):
        with self.paths[path].lock:
            return next((r for r in self.paths[path].requests
                         if r.agent == agent), None)

    def _serve(self, handler):
        try:
            while True:
                line = handler.rfile.readline(65536).decode("latin-1").split()
                if len(line) != 3:
                    return
                headers = {}
                while True:
                    header = handler.rfile.readline(65536).decode("latin-1")
                    if header in ("\r\n", "\n", ""):
                        break
                    name, _, value = header.partition(":")
                    headers[name.strip().lower()] = value.strip()
                reply = self._reply(line[1], headers)
                if not self._send(handler.wfile, reply, headers):
                    return
        except OSError:
            pass  # the scraper left

    def _reply(self, target, headers):
        path = self.paths.get(target.partition("?")[0])
        if path is None:
            return Reply(b"", status="404 Not Found")
        agent = headers.get("user-agent", "").partition("/")[0].lower()
        with path.lock:
            number = sum(r.agent == agent for r in path.requests)
            request = Request(target, headers, agent, number)
            path.requests.append(request)
            if number >= len(path.replies):
                try:
                    path.replies.append(path.source(request))
                except Exception as error:  # a fault of the test: told there
                    self.errors.append(f"{target}: {error!r}")
                    path.replies.append(Reply(status="500 Test Is Wrong"))
            return path.replies[number]

    @staticmethod
    def _send(out, reply, headers):
        """False: the connection is at its end."""
        if reply.delay:
            time.sleep(reply.delay)
        if reply.raw is not None:
            out.write(reply.raw)
            return False
        if reply.endless is not None or reply.chunks is not None:
            out.write(reply.head("Transfer-Encoding: chunked"))
            for chunk in reply.chunks or ():
                out.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            until = time.monotonic() + ENDLESS_SECONDS
            while reply.endless is not None and time.monotonic() < until:
                out.write(b"%x\r\n%s\r\n" % (len(reply.endless), reply.endless))
            out.write(b"0\r\n\r\n")
            return not reply.close
        body = reply.body
        more = []
        if reply.packed and "gzip" in headers.get("accept-encoding", ""):
            body = gzip.compress(body, mtime=0)
            more.append("Content-Encoding: gzip")
        promised = len(body) if reply.promised is None else reply.promised
        out.write(reply.head(f"Content-Length: {promised}", *more) + body)
        return not reply.close and promised == len(body)

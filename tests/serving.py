"""A server of files on the loopback address that can be as bad as servers are."""

import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Files:
    """What is served, and how.

    Args:
        files: Bytes by path.
        cuts: For each request, after how many bytes the connection is cut; not at all once they are used up.
        ranges: Whether parts of a file can be asked for.
        tag: The file's version.
        said: Whether the length is said.
        pause: Seconds between two pieces of 1,000 bytes.
        failures: For each request, a status in place of an answer; none once they are used up.
        to: Where all requests are sent on to.
    """

    def __init__(
        self, files, cuts=(), ranges=True, tag='"1"', said=True, pause=0, failures=(), to=None, wrong_part=False
    ):
        self.files, self.cuts, self.ranges, self.tag, self.said = files, list(cuts), ranges, tag, said
        self.pause, self.failures, self.to, self.wrong_part = pause, list(failures), to, wrong_part
        self.asked = []  # the range of each request, None for all
        self.url = ""


@contextmanager
def serving(files):
    """A block in which they are served; `files.url` ends with a slash."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            span, same = self.headers.get("Range"), self.headers.get("If-Range")
            files.asked.append(span)
            path = self.path.partition("?")[0]
            if files.failures or files.to or path not in files.files:
                self.send_response(files.failures.pop(0) if files.failures else 302 if files.to else 404)
                if files.to:
                    self.send_header("Location", files.to)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            data, begin = files.files[path], 0
            if span and files.ranges and same in (None, files.tag):
                begin = int(span.removeprefix("bytes=").removesuffix("-"))
                if begin >= len(data):
                    self.send_response(416)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {begin + files.wrong_part}-{len(data) - 1}/{len(data)}")
            else:
                self.send_response(200)
            if files.tag:
                self.send_header("ETag", files.tag)
            if files.said:
                self.send_header("Content-Length", str(len(data) - begin))
            else:
                self.send_header("Connection", "close")
            self.end_headers()
            end = begin + files.cuts.pop(0) if files.cuts else len(data)
            with suppress(ConnectionError):  # who asked has gone
                for at in range(begin, min(end, len(data)), 1000):
                    self.wfile.write(data[at : min(at + 1000, end)])
                    self.wfile.flush()
                    time.sleep(files.pause)
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    files.url = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield files
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

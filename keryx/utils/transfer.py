"""A file on its way from a server to its place."""

import errno
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keryx.errors import FileError
from keryx.saving import atomic
from keryx.training.progress import Progress

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_SECONDS_OF_SILENCE = 60
_SECONDS_BETWEEN_TRIES = (1, 3)
_BLOCK, _KB = 2**16, 1000
_OURS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)  # failures of this machine


class Part:
    """What has come of a file so far, beside its place, with a note of what it is a part of. One process has it."""

    def __init__(self, target: Path, origin: str):
        self.target, self.origin = target, origin
        self.path = target.with_name(f".{target.name}.part")
        self.note = target.with_name(f".{target.name}.part.json")
        self.waited = self.resumed = False
        self.total: int | None = None

    def __enter__(self) -> "Part":
        while True:
            self.file = open(self.path, "a+b")
            self._lock()
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self.file.fileno()), os.stat(self.path)):
                    break
            self.file.close()  # the one that was waited for has put it in its place
        self.size = os.fstat(self.file.fileno()).st_size
        known = self._known()
        if self.size and known.get("origin") != self.origin:
            self.begin_again()
        return self

    def __exit__(self, *error: object) -> None:
        if not self.file.closed:
            self.file.flush()
            if os.fstat(self.file.fileno()).st_size == 0:
                self.path.unlink(missing_ok=True)
                self.note.unlink(missing_ok=True)
            self.file.close()

    def _lock(self) -> None:
        if not fcntl:
            return
        try:
            fcntl.flock(self.file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.waited = True
            fcntl.flock(self.file.fileno(), fcntl.LOCK_EX)
        except OSError:
            pass  # some network file systems have none

    def _known(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            known = json.loads(self.note.read_text())
            return known if isinstance(known, dict) else {}
        return {}

    def begin_again(self) -> None:
        self.file.truncate(0)
        self.size = 0

    def place(self) -> None:
        """All is there and right."""
        self.file.flush()
        os.fsync(self.file.fileno())
        os.replace(self.path, self.target)
        self.note.unlink(missing_ok=True)
        self.file.close()
        atomic.sync_folder(self.target.parent)

    def pull(self, anyway: bool = False) -> None:
        """Fetch what is missing; a connection that is cut is taken up again while that brings something.

        Args:
            anyway: Whether it goes on even where the server cannot tell that the file is the same; for files that
                are checked afterwards.
        """
        tries, most, begun = 0, self.size, False
        with Progress(1, None, unit="kilobyte") as progress:
            while True:
                try:
                    self._pull_once(progress, anyway)
                    break
                except (_Cut, OSError, http.client.HTTPException) as error:
                    if isinstance(error, FileError) or (isinstance(error, OSError) and error.errno in _OURS):
                        raise
                    if isinstance(error, urllib.error.HTTPError):
                        error.close()
                        if error.code == 416:
                            self.begin_again()  # the part is longer than the file
                    begun = begun or self.size > most
                    tries, most = (1, self.size) if self.size > most else (tries + 1, most)
                    if _is_final(error, begun) or tries > len(_SECONDS_BETWEEN_TRIES):
                        raise FileError(self._failure(error)) from error
                    time.sleep(_SECONDS_BETWEEN_TRIES[tries - 1])
            progress.end(-(-self.size // _KB), {})

    def _pull_once(self, progress: Progress, anyway: bool) -> None:
        with self._asked(anyway) as answer:
            self._take_up(answer)
            progress.begin(0, None if self.total is None else max(-(-self.total // _KB), 1))
            while block := answer.read1(_BLOCK):
                self.file.write(block)
                self.size += len(block)
                progress.update(self.size // _KB, {})
        self.file.flush()
        if self.total is not None and self.size != self.total:
            raise _Cut(f"the connection ended after {self.size:,} of {self.total:,} bytes")

    @contextmanager
    def _asked(self, anyway: bool) -> Iterator[Any]:
        """The server's answer."""
        headers = {"User-Agent": "keryx", "Accept-Encoding": "identity"}
        validator = self._known().get("validator")
        if self.size and not (validator or anyway):
            self.begin_again()
        if self.size:
            headers |= {"Range": f"bytes={self.size}-"} | ({"If-Range": str(validator)} if validator else {})
        request = urllib.request.Request(self.origin, headers=headers)
        opener = urllib.request.build_opener(_NoLesserRedirect)
        with opener.open(request, timeout=_SECONDS_OF_SILENCE) as answer:
            yield answer

    def _take_up(self, answer: Any) -> None:
        """Begin where the answer begins, and note what it is."""
        length = answer.headers.get("Content-Length")
        begins = (answer.headers.get("Content-Range") or "").removeprefix("bytes ").partition("-")[0]
        goes_on = getattr(answer, "status", None) == 206
        if goes_on and begins != str(self.size):
            self.begin_again()
            raise _Cut("the server gave another part of the file than was asked for")
        if not goes_on:
            self.begin_again()
        self.resumed = goes_on
        self.total = int(length) + self.size if length and length.isdigit() else None
        etag = answer.headers.get("ETag") or ""
        validator = etag if etag.startswith('"') else answer.headers.get("Last-Modified")  # a weak one proves nothing
        self.note.write_text(json.dumps({"origin": self.origin, "validator": validator}))

    def _failure(self, error: BaseException) -> str:
        why = getattr(error, "reason", None) or error
        if isinstance(error, urllib.error.HTTPError):
            why = f"the server answers {error.code} {error.reason}"
        kept = f" {self.size:,} bytes are kept; the next call goes on from there." if self.size else ""
        return (
            f"{self.origin} cannot be fetched: {why}.{kept} Where there is no network, fetch it elsewhere and place "
            f"it as {self.target}. KERAS_HOME=~/.keras in the environment takes what Keras has fetched."
        )


class _Cut(Exception):
    """The answer ended too early."""


class _NoLesserRedirect(urllib.request.HTTPRedirectHandler):
    """From https to https alone."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("https", "http") or (req.type == "https" and scheme != "https"):
            if fp is not None:
                fp.close()
            raise FileError(f"{req.full_url} sends us on to {newurl}, which is not as safe: it is not followed.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_final(error: BaseException, begun: bool) -> bool:
    """Whether another try is of no use: what a server refuses, and what never began."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code < 500 and error.code not in (408, 416, 429)
    return isinstance(error, urllib.error.URLError) and not begun

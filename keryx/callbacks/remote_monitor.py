"""RemoteMonitor: the numbers of each epoch, sent to a server."""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import numpy as np

from keryx.callbacks.callback import Callback
from keryx.errors import ConfigError, warn

SECONDS = 10.0  # that a server may take to answer


class RemoteMonitor(Callback):
    """Send the numbers of each epoch, and `epoch`, to a server, by HTTP POST. A server that fails is warned of.

    Args:
        root: The address of the server, http or https.
        path: Where on the server.
        field: The name of the field of a form that holds the numbers as JSON.
        headers: A dict of headers of the request.
        send_as_json: Whether the body of the request is the JSON itself, rather than a form.

    Raises:
        ConfigError: Where the address is neither http nor https.

    >>> RemoteMonitor(send_as_json=True).root
    'http://localhost:9000'
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ):
        if urllib.parse.urlsplit(root).scheme not in ("http", "https"):
            raise ConfigError(f"RemoteMonitor: root is an address such as 'http://localhost:9000'; got {root!r}.")
        self.root, self.path, self.field, self.headers, self.send_as_json = root, path, field, headers, send_as_json

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Send them."""
        numbers = {name: np.asarray(value).tolist() for name, value in (logs or {}).items()}
        text = json.dumps({"epoch": epoch} | numbers)
        if self.send_as_json:
            body, kind = text, "application/json"
        else:
            body, kind = urllib.parse.urlencode({self.field: text}), "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind, **(self.headers or {})}
        request = urllib.request.Request(self.root + self.path, body.encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS):
                pass
        except OSError as error:
            warn(f"RemoteMonitor could not send epoch {epoch} to {self.root}: {error}.")

"""An S3 server in this process that counts and can hold back its requests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

ACCESS_KEY, SECRET_KEY = "testing", "hidden-value"
BUCKET = "films"


@dataclass
class S3Server:
    """address: of the server. requests: METHOD /path?query of each that came, in order."""

    address: str
    requests: list[str] = field(default_factory=list)
    before: Callable[[str], int | None] = lambda request: None
    """Called with each request before it is answered, in the thread that answers it; a number is
    the status that the server answers with instead."""

    @property
    def methods(self) -> Counter[str]:
        """How many requests of each method came."""
        return Counter(request.partition(" ")[0] for request in self.requests)

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a client finds this server and may use it."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A running server with an empty bucket."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class _Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:
            pass

    application = DomainDispatcherApplication(create_backend_app)
    server = S3Server("")

    def count(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        query = environ.get("QUERY_STRING", "")
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}{'?' if query else ''}{query}"
        server.requests.append(request)
        status = server.before(request)
        if status is not None:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(f"{status} Refused", [("Content-Length", "0")])
            return [b""]
        result: Iterable[bytes] = application(environ, start_response)
        return result

    running = make_server("127.0.0.1", 0, count, threaded=True, request_handler=_Quiet)
    server.address = f"http://127.0.0.1:{running.port}"
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        running.shutdown()
        thread.join()
        running.server_close()

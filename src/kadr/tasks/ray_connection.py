"""Connect to Ray: to a cluster at an address, or to one that is started here for this run only."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from kadr.core.closing import Closing
from kadr.core.formatting import shorten
from kadr.errors import BackendError, OptionsError

_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:]+\]):(?P<port>[0-9]{1,5})")
_ANSWER_TIME = 5.0
"""Seconds in which a cluster has to answer."""
_OBJECT_STORE = 256 << 20
"""Bytes of shared memory of a Ray that is started here: only stylized images come through it."""
_LOOPBACK = "127.0.0.1"
_log = logging.getLogger(__name__)
_started_here = False
"""Whether the Ray that this process is connected to was started by it."""


def check_address(address: str) -> tuple[str, int]:
    """The host and port of an address. Raises OptionsError."""
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise OptionsError(
            f"address {shorten(address)!r}: expected HOST:PORT of the head of a Ray cluster, such "
            "as 10.0.0.1:6379"
        )
    return match["host"].strip("[]"), int(match["port"])


class RayConnection(Closing):
    """This process as a driver of Ray; one at a time. ``close`` ends what was started here.

    is_own: whether Ray was started here. It then listens on this machine only and asks for a token
    that is made for it.
    """

    def __init__(self, cores: int, address: str | None = None) -> None:
        """cores: of a Ray that is started here. address: of a cluster; None: start one here.

        Raises OptionsError for an address without a cluster, BackendError if Ray is missing, cannot
        be started or refuses this process.
        """
        if address is not None:
            _check_answers(address)
        if importlib.util.find_spec("ray") is None:
            raise BackendError(
                "executor ray: Ray is not installed; install it with pip install 'kadr[ray]', or "
                "use --executor processes"
            )
        self.is_own = address is None
        self._folder: str | None = None
        self._joined = False
        with _signals_kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._connect(cores, address)

    def _connect(self, cores: int, address: str | None) -> None:
        loaded = "ray" in sys.modules
        if address is None and not (loaded and _is_connected()):
            _prepare_environment(loaded)
            self._folder = tempfile.mkdtemp(prefix="kadr-ray-")
        import ray

        global _started_here
        if ray.is_initialized():
            self._join(address)
            return
        settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if address is None:
            settings |= {
                "num_cpus": cores,
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE,
                "_node_ip_address": _LOOPBACK,
                "_temp_dir": self._folder,
            }
        try:
            ray.init(address or "local", **settings)
        except Exception as error:  # Ray has many for one cause
            self.close()
            raise _refused(address, error) from error
        _started_here = self.is_own
        _log_errors()
        if address is None and self._listens_beyond():
            self.close()
            raise BackendError(
                "executor ray: this version of Ray listens beyond this machine; start Ray yourself "
                "and give --address"
            )

    def _join(self, address: str | None) -> None:
        """Use the connection that this process has already, and leave it open."""
        import ray

        current = ray.get_runtime_context().gcs_address
        if address not in (None, current):
            raise OptionsError(
                f"address {address}: this process uses Ray at {current}; give that, or none"
            )
        self._joined, self.is_own = True, _started_here and address is None

    def _listens_beyond(self) -> bool:
        import ray

        return any(node["NodeManagerAddress"] != _LOOPBACK for node in ray.nodes())

    def close(self) -> None:
        """Leave the cluster, and end it if it was started here."""
        import ray

        if not self._joined:
            with _signals_kept():
                ray.shutdown()
        self._joined = True
        self._forget_folder()

    def _forget_folder(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _log_errors() -> None:
    """Log what Ray would print on standard output, where programs read results."""
    from ray._private import worker

    def log(message: Mapping[str, Any], **_: Any) -> None:
        for line in message.get("lines", ()):
            _log.debug("%s", shorten(line, 1000))

    if hasattr(worker, "print_to_stdstream"):  # Ray has no setting for it
        worker.print_to_stdstream = log


def _is_connected() -> bool:
    import ray

    return bool(ray.is_initialized())


def _check_answers(address: str) -> None:
    """Raise OptionsError unless something listens there: Ray itself would wait for minutes."""
    host, port = check_address(address)
    try:
        socket.create_connection((host, port), _ANSWER_TIME).close()
    except OSError as error:
        reason = error.strerror or f"no answer within {_ANSWER_TIME:g} s"
        raise OptionsError(
            f"address {address}: no Ray cluster answers there ({reason}); start one with "
            "'ray start --head', or leave --address out to start Ray on this machine"
        ) from error


@functools.cache
def _token() -> str:
    """The token of all that this process starts; Ray reads it once."""
    return secrets.token_hex(32)


_ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    # the name says less than it does: without it Ray takes an address that others reach
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # by default workers give way to all other processes
    "RAY_worker_niceness": "0",
}
"""What Ray reads when it is loaded."""


def _prepare_environment(loaded: bool) -> None:
    """Set what Ray reads when it is loaded; what the user has set stays.

    Raises BackendError if it is loaded already and has read something else.
    """
    if loaded and not _ENVIRONMENT.keys() <= os.environ.keys():
        raise BackendError(
            "executor ray: Ray was loaded before kadr set a token for it; connect to Ray before, "
            "or let kadr load it"
        )
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        os.environ["RAY_AUTH_TOKEN"] = _token()


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep the handlers of this process, which Ray replaces by its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            if handler is not None:
                signal.signal(number, handler)


def _refused(address: str | None, error: Exception) -> BackendError:
    """What Ray said, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = shorten(lines[0] if lines else type(error).__name__, 200)
    if address is None:
        return BackendError(f"executor ray: Ray cannot be started on this machine ({reason})")
    text = " ".join(lines).lower()
    if "token" in text or "auth" in text:
        advice = "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH to the cluster's token"
    elif "version" in text:
        advice = "install the versions of Ray and Python that the cluster has"
    else:
        advice = "this machine has to be a node of the cluster: ray start --address"
    return BackendError(f"address {address}: Ray refuses ({reason}); {advice}")

"""Options that all stylizers on a server share."""

from __future__ import annotations

from dataclasses import dataclass

from kadr.core.events import CancelToken
from kadr.errors import OptionsError
from kadr.option_fields import check_fields, option
from kadr.stylize.layout.sizes import nearest_size
from kadr.stylize.servers.client import Client
from kadr.stylize.servers.endpoint import parse_endpoint
from kadr.stylize.shared_help import SHARED_HELP

_PIXELS = 512 * 512
"""The size that Stable Diffusion 1 was trained on."""


@dataclass(frozen=True)
class ServerOptions:
    """The server's address, timeout and retries, and the size of the images that it makes."""

    url: str = option("", "the address of the server")
    auth: str = option(
        "", "user:password; or $NAME to take it from that environment variable",
        changes_frames=False,
    )  # fmt: skip
    timeout: float = option(
        600.0, "timeout of one frame in seconds", low=1, high=86400, changes_frames=False
    )
    retries: int = option(
        3, "how often a request that fails is retried", low=0, high=100, changes_frames=False
    )
    server_patience: float = option(
        60.0, SHARED_HELP["server_patience"], low=0, high=86400, changes_frames=False
    )
    width: int | None = option(
        None, SHARED_HELP["width"], low=64, high=8192, unset="nearest to the frame's"
    )
    height: int | None = option(
        None, SHARED_HELP["height"], low=64, high=8192, unset="nearest to the frame's"
    )
    pixels: int | None = option(
        None, SHARED_HELP["pixels"], low=4096, high=8192**2, unset="512×512"
    )

    def __post_init__(self) -> None:
        check_fields(self)
        parse_endpoint(self.url, self.auth)
        if (self.width is None) != (self.height is None):
            raise OptionsError("width and height: give both, or neither for the nearest size")
        if self.width is not None and self.pixels is not None:
            raise OptionsError("pixels: not used with width and height; leave out one or the other")
        for name in ("width", "height"):
            value = getattr(self, name)
            if value is not None and value % 8:
                raise OptionsError(f"{name} {value}: expected a multiple of 8")

    def client(self, cancel: CancelToken, hint: str) -> Client:
        """A client for the server; ``hint`` says what to do when no server answers."""
        endpoint = parse_endpoint(self.url, self.auth)
        return Client(
            endpoint,
            self.timeout,
            self.retries,
            patience=self.server_patience,
            hint=hint,
            cancel=cancel,
        )

    def working_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of the images that the model makes for frames of ``size``."""
        if self.width is not None and self.height is not None:
            return self.width, self.height
        return nearest_size(size, pixels=self.pixels or _PIXELS)


def as_tuple(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """A tuple of one or several texts."""
    return (value,) if isinstance(value, str) else tuple(value)

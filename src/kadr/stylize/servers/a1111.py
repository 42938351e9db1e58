"""Stylize frames with a running A1111, Forge or SD.Next: one ``/sdapi/v1/img2img`` per frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

from kadr.core.frames import Image
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.stylize.infotext import PARAMETERS, format_infotext
from kadr.stylize.option_hints import with_option
from kadr.stylize.servers.a1111_options import A1111Options
from kadr.stylize.servers.a1111_request import frame_request, frame_seed
from kadr.stylize.servers.a1111_resolve import ResolvedOptions, resolve_options
from kadr.stylize.servers.a1111_settings import settings_put_back
from kadr.stylize.servers.a1111_task import stop_task
from kadr.stylize.servers.client import Client, ServerError, interrupt_on_failure
from kadr.stylize.servers.error_text import join_names
from kadr.stylize.servers.images import decode_base64, fit_to_frame
from kadr.stylize.servers.json_values import as_list, as_number, as_object, as_text, parse_json

_HINT = f"start the web interface with --api, or give {with_option('url', 'ADDRESS')}"
_PROGRESS_SECONDS = 1.0
"""Seconds between two requests for the progress."""

_STATUS_TIMEOUT = 5.0
"""Seconds for a request that only asks for the progress or interrupts."""


class A1111:
    """The stylizer that sends each frame to a running web interface."""

    Options: ClassVar[type[A1111Options]] = A1111Options
    VERSION = 1
    name = "a1111"
    joint = False
    sequential = False
    max_batch = 1

    def __init__(self, options: A1111Options) -> None:
        self._options = options

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield each frame as the server made it; outside ``context.mask`` the frame is unchanged.

        Cancelling interrupts our frame on the server. In the end the server has its own settings,
        however the run ends. Raises ServerError, a BackendError, in one line for a server that is
        down, refuses or fails, and OptionsError for a model, sampler, script or setting that it
        does not have.
        """
        client = self._options.client(context.cancel, _HINT)
        resolved: ResolvedOptions | None = None
        with ExitStack() as stack:
            for job in jobs:
                context.cancel.check()
                if resolved is None:
                    resolved = resolve_options(client, self._options)
                    own, sent = resolved.own_settings, resolved.override_settings
                    stack.enter_context(settings_put_back(client, own, sent))
                yield [self._stylize_frame(job, context, replace(client, seed=job.seed), resolved)]

    def _stylize_frame(
        self, job: StylizeJob, context: StylizeContext, client: Client, resolved: ResolvedOptions
    ) -> StyledFrame:
        task_id = f"kadr-{uuid4().hex}"
        request = frame_request(self._options, resolved, job, context) | {"force_task_id": task_id}
        size = (request["width"], request["height"])
        try:
            with interrupt_on_failure(lambda: stop_task(client, task_id)):
                answer = client.post_json(
                    "/sdapi/v1/img2img",
                    request,
                    on_poll=_progress_poller(client, context, job),
                    # otherwise the server would finish the frame, and then make it again
                    before_retry=lambda: stop_task(client, task_id),
                )
        except ServerError as error:
            raise _with_advice(error, size) from error
        where = client.endpoint.address
        image, text = _select_image(answer, size, where)
        context.progress(job.index, 1.0)
        info = {PARAMETERS: text or _infotext(self._options, resolved, job, size), "server": where}
        return StyledFrame(job.index, fit_to_frame(image, job, context), info)


def _progress_poller(
    client: Client, context: StylizeContext, job: StylizeJob
) -> Callable[[], None]:
    """A function to call while waiting: it asks the server for the progress once a second."""
    status_client = replace(client, timeout=_STATUS_TIMEOUT, retries=0)
    last_time = time.monotonic()

    def poll() -> None:
        nonlocal last_time
        if time.monotonic() - last_time < _PROGRESS_SECONDS:
            return
        with suppress(ServerError):
            state = status_client.get_json("/sdapi/v1/progress", skip_current_image="true")
            share = as_number(as_object(state).get("progress"))
            if share is not None:
                context.progress(job.index, min(1.0, max(0.0, share)))
        last_time = time.monotonic()

    return poll


def _with_advice(error: ServerError, size: tuple[int, int]) -> ServerError:
    """The same error with what to do about it, if the server's message shows the cause."""
    detail = error.detail.lower()
    advice = ""
    if "outofmemory" in detail or "out of memory" in detail:
        smaller = with_option("pixels", str(size[0] * size[1] // 2))
        advice = f"it ran out of memory at {size[0]}×{size[1]}; give {smaller}"
    elif "nan" in detail.split() or "nans" in detail:
        advice = (
            "half precision overflowed; start it with --no-half-vae (or --no-half), or give "
            f"another {with_option('vae', 'NAME')}"
        )
    elif "sampler" in detail:
        advice = f"give {with_option('sampler', 'NAME')} as the web interface lists it"
    if not advice:
        return error
    return ServerError(f"{error}; {advice}", error.status, error.detail)


def _select_image(answer: Any, size: tuple[int, int], where: str) -> tuple[Image, str]:
    """The requested image and its parameters: grids come before it, control images after it.

    Raises ServerError if no image has the requested size.
    """
    images = as_list(as_object(answer).get("images"))
    if not images:
        raise ServerError(f"{where}: the answer holds no images; is there another program there?")
    info = _parse_info(answer)
    first = info.get("index_of_first_image")
    positions = list(range(len(images)))
    if type(first) is int and 0 < first < len(images):
        positions = positions[first:] + positions[:first]
    sizes = []
    for position in positions:
        image = decode_base64(images[position], where)
        if (image.shape[1], image.shape[0]) == size:
            texts = as_list(info.get("infotexts"))
            return image, as_text(texts[position]) if position < len(texts) else ""
        sizes.append(f"{image.shape[1]}×{image.shape[0]}")
    raise ServerError(
        f"{where}: sent {join_names(sizes)} pixels for {size[0]}×{size[1]}; turn off what changes "
        f"the size there, or give that size as {with_option('width', 'W')} "
        f"{with_option('height', 'H')}"
    )


def _parse_info(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The field ``info``, which is JSON inside JSON; empty if it is not valid."""
    try:
        return as_object(parse_json(as_text(answer.get("info"))))
    except ValueError:
        return {}


def _infotext(
    options: A1111Options, resolved: ResolvedOptions, job: StylizeJob, size: tuple[int, int]
) -> str:
    """The parameters that the options set, for a server that returns none."""
    fields: dict[str, str | int | float | bool | None] = {
        "Steps": options.steps,
        "Sampler": resolved.sampler,
        "Schedule type": resolved.scheduler or None,
        "CFG scale": options.cfg_scale,
        "Seed": frame_seed(options.seed, job),
        "Size": f"{size[0]}x{size[1]}",
        "Model": options.model or None,
        "Denoising strength": options.denoising_strength,
    }
    return format_infotext(options.prompt, options.negative_prompt, fields)

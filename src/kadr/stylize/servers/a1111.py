"""Frames in, what A1111, Forge or SD.Next make of them out: ``/sdapi/v1/img2img``, one by one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

from kadr.core.frames import Image
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.stylize.infotext import PARAMETERS, format_infotext
from kadr.stylize.servers.a1111_options import A1111Options
from kadr.stylize.servers.a1111_probe import Probe, probe
from kadr.stylize.servers.a1111_request import frame_request, frame_seed
from kadr.stylize.servers.http import Client, ServerError, stopping
from kadr.stylize.servers.images import check_not_flat, fitted, from_base64

_HINT = "start the web interface with --api, or give its address as url"
_PROGRESS_SECONDS = 1.0
_ASIDE_SECONDS = 5.0
"""How long a request may take that only asks how things stand."""


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
        """Yield each frame as the server made it; outside ``context.mask`` it stays as filmed.

        A stop interrupts the server. Raises ServerError, a BackendError, in one line for a server
        that is down, refuses or fails, OptionsError for a model, script or setting it has not.
        """
        client = self._options.client(context.cancel, _HINT)
        known: Probe | None = None
        for job in jobs:
            context.cancel.check()
            known = known or probe(client, self._options)
            yield [self._styled(job, context, replace(client, seed=job.seed), known)]

    def _styled(
        self, job: StylizeJob, context: StylizeContext, client: Client, known: Probe
    ) -> StyledFrame:
        task = f"kadr-{uuid4().hex}"
        request = frame_request(self._options, known, job, context) | {"force_task_id": task}
        size = (request["width"], request["height"])
        try:
            with stopping(lambda: _interrupt(client, task)):
                answer = client.post_json(
                    "/sdapi/v1/img2img",
                    request,
                    _progress(client, context, job),
                    # or the server would make the frame to its end, and then once more
                    abandon=lambda: _interrupt(client, task),
                )
        except ServerError as error:
            raise _explained(error, size) from error
        where = client.endpoint.shown
        image, text = _chosen(answer, size, where)
        check_not_flat(image, job, where)
        context.progress(job.index, 1.0)
        facts = {PARAMETERS: text or _own_text(self._options, job, size), "server": where}
        return StyledFrame(job.index, fitted(image, job, context), facts)


def _progress(client: Client, context: StylizeContext, job: StylizeJob) -> Callable[[], None]:
    """To be called while waiting: asks the server now and then how far it is, and tells."""
    aside = replace(client, timeout=_ASIDE_SECONDS, retries=0)
    asked = time.monotonic()

    def tell() -> None:
        nonlocal asked
        if time.monotonic() - asked < _PROGRESS_SECONDS:
            return
        with suppress(ServerError, TypeError, ValueError, AttributeError):
            state = aside.get_json("/sdapi/v1/progress", skip_current_image="true")
            context.progress(job.index, min(1.0, max(0.0, float(state.get("progress")))))
        asked = time.monotonic()

    return tell


def _interrupt(client: Client, task: str) -> None:
    """Stop our own task; where the server tells whose it runs, nobody else's."""
    aside = Client(client.endpoint, _ASIDE_SECONDS, retries=0)
    with suppress(ServerError):
        state = aside.get_json("/sdapi/v1/progress", skip_current_image="true")
        running = state.get("current_task") if isinstance(state, dict) else None
        if running is None or running == task:
            aside.post_json("/sdapi/v1/interrupt", {})


def _explained(error: ServerError, size: tuple[int, int]) -> ServerError:
    """The same error with what helps, where the server's words tell what is wrong."""
    words = error.detail.lower()
    help = ""
    if "outofmemory" in words or "out of memory" in words:
        help = f"it ran out of memory at {size[0]}×{size[1]}; give pixels={size[0] * size[1] // 2}"
    elif "nan" in words.split() or "nans" in words:
        help = (
            "half precision overflowed; start it with --no-half-vae (or --no-half), or give "
            "another vae"
        )
    elif "sampler" in words:
        help = "give a sampler that the web interface lists"
    if not help:
        return error
    return ServerError(f"{error}; {help}", error.status, error.detail)


def _chosen(answer: Any, size: tuple[int, int], where: str) -> tuple[Image, str]:
    """The image that was asked for and its parameters: grids come before it, controls after it.

    Raises ServerError if none has the size that was asked for.
    """
    images = answer.get("images") if isinstance(answer, Mapping) else None
    if not isinstance(images, list) or not images:
        raise ServerError(f"{where}: the answer holds no images; is there another program at url?")
    info = _info(answer)
    first = info.get("index_of_first_image")
    order = list(range(len(images)))
    if isinstance(first, int) and 0 < first < len(images):
        order = order[first:] + order[:first]
    sizes = []
    for place in order:
        image = from_base64(images[place], where)
        if (image.shape[1], image.shape[0]) == size:
            texts = info.get("infotexts")
            texts = texts if isinstance(texts, list) else []
            return image, str(texts[place]) if place < len(texts) else ""
        sizes.append(f"{image.shape[1]}×{image.shape[0]}")
    raise ServerError(
        f"{where}: sent {', '.join(sizes)} pixels for {size[0]}×{size[1]}; turn off what changes "
        "the size there, or give that size as width and height"
    )


def _info(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts that come as JSON inside JSON; empty if they are not what they should be."""
    try:
        info = json.loads(answer.get("info") or "{}")
    except (TypeError, ValueError):
        return {}
    return info if isinstance(info, dict) else {}


def _own_text(options: A1111Options, job: StylizeJob, size: tuple[int, int]) -> str:
    """Parameters as far as they are known here, for a server that tells none."""
    fields: dict[str, str | int | float | bool | None] = {
        "Steps": options.steps,
        "Sampler": options.sampler,
        "Schedule type": options.scheduler or None,
        "CFG scale": options.cfg_scale,
        "Seed": frame_seed(options.seed, job),
        "Size": f"{size[0]}x{size[1]}",
        "Model": options.model or None,
        "Denoising strength": options.denoising_strength,
    }
    return format_infotext(options.prompt, options.negative_prompt, fields)

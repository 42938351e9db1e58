"""Frames in, what a running ComfyUI makes of them out, by the user's own graph or a plain one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar
from uuid import uuid4

from kadr.core.frames import Image
from kadr.errors import BackendError, OptionsError
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.stylize.infotext import PARAMETERS
from kadr.stylize.layout.sizes import resize
from kadr.stylize.servers.comfyui_change import changed_graph, graph_text, seeded_graph
from kadr.stylize.servers.comfyui_graph import (
    Graph,
    copy_graph,
    find_node,
    image_node,
    load_graph,
    plain_graph,
)
from kadr.stylize.servers.comfyui_options import ComfyUIOptions
from kadr.stylize.servers.comfyui_queue import Images, LostError, run_graph
from kadr.stylize.servers.http import Client, ServerError
from kadr.stylize.servers.images import (
    check_not_flat,
    fitted,
    from_file,
    same_shape,
    to_png,
    with_mask,
)
from kadr.stylize.servers.websocket import Listener

_HINT = "start ComfyUI, or give its address as url"
_FOLDER = "kadr"
_TRIES = 3
"""How often a frame is queued: servers forget, and answer known prompts with nothing."""


class ComfyUI:
    """The stylizer that lets a running ComfyUI work through its graph for each frame."""

    Options: ClassVar[type[ComfyUIOptions]] = ComfyUIOptions
    VERSION = 1
    name = "comfyui"
    joint = False
    sequential = False
    max_batch = 1

    def __init__(self, options: ComfyUIOptions) -> None:
        self._options = options

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield each frame as the server made it; outside ``context.mask`` it stays as filmed.

        A stop interrupts the server. Raises ServerError, a BackendError, in one line for a server
        that is down, refuses or fails, InputError for a file that is no graph, OptionsError for a
        node, model or setting that the graph or the server has not.
        """
        client = self._options.client(context.cancel, _HINT)
        graph: Graph | None = None
        for job in jobs:
            context.cancel.check()
            graph = graph or self._prepared(client)
            yield [self._styled(job, context, replace(client, seed=job.seed), graph)]

    def _prepared(self, client: Client) -> Graph:
        """The graph with all changed that is the same for every frame."""
        options = self._options
        models = _models(client) if options.model or options.workflow is None else []
        if options.workflow is not None:
            graph = load_graph(options.workflow)
        elif not options.model and len(models) != 1:
            raise OptionsError(f"model: say which of {', '.join(models) or 'none'} to use")
        else:
            graph = plain_graph(models[0] if models else "")
        if options.output_node:
            find_node(graph, options.output_node, "output-node")
        image_node(graph, options.image_node)
        return changed_graph(graph, options, models)

    def _styled(
        self, job: StylizeJob, context: StylizeContext, client: Client, prepared: Graph
    ) -> StyledFrame:
        if self._options.seed_each:
            graph = seeded_graph(prepared, self._options, job.seed)
        else:
            graph = copy_graph(prepared)
        images, graph = self._run(job, context, client, graph)
        where = client.endpoint.shown
        image = self._fetched(client, images, graph, job)
        check_not_flat(image, job, where)
        context.progress(job.index, 1.0)
        text = graph_text(graph, self._options, (image.shape[1], image.shape[0]))
        return StyledFrame(
            job.index, fitted(image, job, context), {PARAMETERS: text, "server": where}
        )

    def _run(
        self, job: StylizeJob, context: StylizeContext, client: Client, graph: Graph
    ) -> tuple[Images, Graph]:
        """Upload the frame under a new name and run the graph, again where nothing came of it."""
        sent = resize(job.frame.rgb, self._options.working_size(job.frame.size))
        data = to_png(with_mask(sent, context.mask(job.index)))
        loader = image_node(graph, self._options.image_node)
        heard = _NodeProgress(job, context)
        # a graph that ran before, frame and all, is answered from the cache, with no image
        for _ in range(_TRIES):
            name = f"kadr-{context.number(job.index)}-{uuid4().hex[:12]}.png"
            graph[loader]["inputs"]["image"] = _upload(client, name, data)
            me = uuid4().hex
            with Listener(client.endpoint, f"/ws?clientId={me}", heard.hear), suppress(LostError):
                images = run_graph(client, graph, me, heard.tell)
                if images:
                    return images, graph
        raise ServerError(
            f"{client.endpoint.shown}: the workflow ran {_TRIES} times and left no image; "
            "does it end in a SaveImage node?"
        )

    def _fetched(self, client: Client, images: Images, graph: Graph, job: StylizeJob) -> Image:
        """The image of the output node, or of the only node that saves or shows one."""
        node = self._output(images, graph)
        file = images[node][0]
        query = {key: str(file.get(key, "")) for key in ("filename", "subfolder", "type")}
        where = f"{client.endpoint.shown}: {query['filename']}"
        image = from_file(client.get("/view", **query), where)
        size = (image.shape[1], image.shape[0])
        if not same_shape(size, job.frame.size):
            raise BackendError(
                f"{where}: {size[0]}×{size[1]} pixels, the frame has {job.frame.size[0]}×"
                f"{job.frame.size[1]}; the workflow must keep the frame's shape, or say output-node"
            )
        return image

    def _output(self, images: Images, graph: Graph) -> str:
        if self._options.output_node:
            node = find_node(graph, self._options.output_node, "output-node")
            if node not in images:
                raise OptionsError(f"output-node {node}: made no image; {', '.join(images)} did")
            return node
        saved = [key for key, files in images.items() if files[0].get("type") == "output"]
        found = saved or list(images)
        if len(found) > 1:
            raise OptionsError(f"output-node: nodes {', '.join(found)} made images; say which")
        return found[0]


class _NodeProgress:
    """What the server says of its steps, told on by whoever waits for it."""

    def __init__(self, job: StylizeJob, context: StylizeContext) -> None:
        self._job, self._context = job, context
        self._share, self._told = 0.0, 0.0

    def hear(self, message: str) -> None:
        """Take in a message; those of the sampling say which of how many steps is done."""
        with suppress(ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
            value = json.loads(message)
            if value["type"] == "progress":
                share = value["data"]["value"] / value["data"]["max"]
                self._share = min(1.0, max(0.0, float(share)))

    def tell(self) -> None:
        """Pass on what is new."""
        if self._share != self._told:
            self._told = self._share
            self._context.progress(self._job.index, self._told)


def _models(client: Client) -> list[str]:
    """The checkpoints that the server has, as its plain loader lists them."""
    kind = "CheckpointLoaderSimple"
    answer = client.get_json(f"/object_info/{kind}")
    try:
        given = answer[kind]["input"]["required"]["ckpt_name"]
        # older servers send [names, ...], newer ones ["COMBO", {"options": names}]
        names = given[0] if isinstance(given[0], list) else given[1]["options"]
        return [str(name) for name in names]
    except (KeyError, IndexError, TypeError) as error:
        raise ServerError(
            f"{client.endpoint.shown}: lists no checkpoints; is there another program at url?"
        ) from error


def _upload(client: Client, name: str, data: bytes) -> str:
    """Send an image file; gives the name by which LoadImage finds it."""
    fields = {"type": "input", "subfolder": _FOLDER, "overwrite": "true"}
    answer = client.post_form("/upload/image", fields, "image", name, data)
    if not isinstance(answer, dict) or not isinstance(answer.get("name"), str):
        raise ServerError(f"{client.endpoint.shown}: took no image; is another program at url?")
    folder = answer.get("subfolder")
    return f"{folder}/{answer['name']}" if folder else str(answer["name"])

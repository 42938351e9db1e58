"""Stylize frames with a running ComfyUI, by the user's own graph or a plain one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import ClassVar
from uuid import uuid4

from kadr.core.frames import Image
from kadr.core.png import with_text
from kadr.core.png_pixels import encode_png
from kadr.errors import BackendError, OptionsError
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from kadr.stylize.infotext import PARAMETERS
from kadr.stylize.layout.sizes import resize
from kadr.stylize.option_hints import with_option
from kadr.stylize.servers.client import Client, ServerError
from kadr.stylize.servers.comfyui_file import load_graph
from kadr.stylize.servers.comfyui_graph import (
    Graph,
    copy_graph,
    find_image_node,
    find_node,
    plain_graph,
)
from kadr.stylize.servers.comfyui_names import check_names, list_choices
from kadr.stylize.servers.comfyui_options import ComfyUIOptions
from kadr.stylize.servers.comfyui_queue import ImageFiles, LostPromptError, run_graph
from kadr.stylize.servers.comfyui_settings import apply_options, graph_infotext, set_seed
from kadr.stylize.servers.error_text import join_names, one_line
from kadr.stylize.servers.images import (
    add_mask,
    decode_image,
    fit_to_frame,
    has_same_aspect,
)
from kadr.stylize.servers.json_values import as_number, as_object, as_text, parse_json
from kadr.stylize.servers.listener import listening

_HINT = f"start ComfyUI, or give {with_option('url', 'ADDRESS')}"
_UPLOAD_FOLDER = "kadr"
_HASHED_LOADERS = frozenset({"LoadImage", "LoadImageMask"})
"""Nodes that look at the content of a file, so that a new one under the same name is read."""

_MAX_RUNS = 3
"""How often a frame is queued: a server may forget it, or return no image for a known prompt."""


class ComfyUI:
    """The stylizer that runs a graph on a running ComfyUI for each frame."""

    Options: ClassVar[type[ComfyUIOptions]] = ComfyUIOptions
    VERSION = 1
    name = "comfyui"
    joint = False
    sequential = False
    max_batch = 1

    def __init__(self, options: ComfyUIOptions) -> None:
        self._options = options
        self._free_names: list[str] = []

    def stylize(
        self, jobs: Iterable[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        """Yield each frame as the server made it; outside ``context.mask`` the frame is unchanged.

        Cancelling interrupts the server. Raises ServerError, a BackendError, in one line for a
        server that is down, refuses or fails, InputError for a file that is no graph, and
        OptionsError for a node, model or setting that the graph or the server does not have.
        """
        client = self._options.client(context.cancel, _HINT)
        graph: Graph | None = None
        with self._upload_name() as name:
            for job in jobs:
                context.cancel.check()
                graph = graph or self._prepare_graph(client)
                job_client = replace(client, seed=job.seed)
                yield [self._stylize_frame(job, context, job_client, graph, name)]

    @contextmanager
    def _upload_name(self) -> Iterator[str]:
        """A file name on the server that nobody else uses: each frame overwrites the one before.

        The server offers no way to delete a file.
        """
        try:
            name = self._free_names.pop()
        except IndexError:
            name = f"kadr-{uuid4().hex[:12]}.png"
        try:
            yield name
        finally:
            self._free_names.append(name)

    def _prepare_graph(self, client: Client) -> Graph:
        """The graph with all changes that are the same for every frame."""
        options = self._options
        models = _list_models(client) if options.model or options.workflow is None else []
        if options.workflow is not None:
            graph = load_graph(options.workflow)
        elif not options.model and len(models) != 1:
            raise OptionsError(
                f"model: give {with_option('model', 'NAME')}, one of {join_names(models)}"
            )
        else:
            graph = plain_graph(models[0] if models else "")
        if options.output_node:
            find_node(graph, options.output_node, "output-node")
        find_image_node(graph, options.image_node)
        return apply_options(graph, options, models)

    def _stylize_frame(
        self,
        job: StylizeJob,
        context: StylizeContext,
        client: Client,
        prepared: Graph,
        upload_name: str,
    ) -> StyledFrame:
        graph = copy_graph(prepared)
        if self._options.seed_each:
            set_seed(graph, self._options, job.seed)
        files = self._run(job, context, client, graph, upload_name)
        image = self._download(client, files, graph, job)
        context.progress(job.index, 1.0)
        text = graph_infotext(graph, self._options, (image.shape[1], image.shape[0]))
        info = {PARAMETERS: text, "server": client.endpoint.address}
        return StyledFrame(job.index, fit_to_frame(image, job, context), info)

    def _run(
        self,
        job: StylizeJob,
        context: StylizeContext,
        client: Client,
        graph: Graph,
        upload_name: str,
    ) -> ImageFiles:
        """Upload the frame and run the graph; repeat if there is no image."""
        frame = resize(job.frame.rgb, self._options.working_size(job.frame.size))
        data = encode_png(add_mask(frame, context.mask(job.index)))
        loader = find_image_node(graph, self._options.image_node)
        progress = _StepProgress(job, context)
        is_hashed = graph[loader].get("class_type") in _HASHED_LOADERS
        for _ in range(_MAX_RUNS):
            # a graph that ran before is answered from the server's cache, without an image in some
            # versions, so the file has a text that no other one has
            unique = uuid4().hex
            own_name = f"kadr-{context.number(job.index)}-{unique[:12]}.png"
            name = upload_name if is_hashed else own_name
            file = with_text(data, "kadr", unique)
            graph[loader]["inputs"]["image"] = _upload(client, name, file)
            client_id = uuid4().hex
            path = f"/ws?clientId={client_id}"
            with (
                listening(client.endpoint, path, progress.on_message),
                suppress(LostPromptError),
            ):
                files = self._queue(client, graph, client_id, progress)
                if files:
                    return files
        raise ServerError(
            f"{client.endpoint.address}: the workflow ran {_MAX_RUNS} times and left no image; "
            "does it end in a SaveImage node?"
        )

    def _queue(
        self, client: Client, graph: Graph, client_id: str, progress: _StepProgress
    ) -> ImageFiles:
        """Run the graph; for one that is refused, look for a name that the server does not have."""
        try:
            return run_graph(client, graph, client_id, progress.report)
        except ServerError as error:
            if error.status == 400:
                check_names(client, graph)
            raise

    def _download(self, client: Client, files: ImageFiles, graph: Graph, job: StylizeJob) -> Image:
        """The image of the output node, or of the only node that saves or previews one."""
        file = files[self._output_node(files, graph)][0]
        query = {key: as_text(file.get(key)) for key in ("filename", "subfolder", "type")}
        where = f"{client.endpoint.address}: {one_line(query['filename'], 100)}"
        image = decode_image(client.get("/view", **query), where)
        size = (image.shape[1], image.shape[0])
        sent_size = self._options.working_size(job.frame.size)
        if not (has_same_aspect(size, job.frame.size) or has_same_aspect(size, sent_size)):
            raise BackendError(
                f"{where}: {size[0]}×{size[1]} pixels, the frame has {job.frame.size[0]}×"
                f"{job.frame.size[1]}; the workflow must keep the frame's shape, or give "
                f"{with_option('output_node', 'NODE')}"
            )
        return image

    def _output_node(self, files: ImageFiles, graph: Graph) -> str:
        if self._options.output_node:
            node = find_node(graph, self._options.output_node, "output-node")
            if node not in files:
                raise OptionsError(
                    f"output-node {node}: made no image; {join_names(list(files))} did"
                )
            return node
        saved = [node for node, images in files.items() if images[0].get("type") == "output"]
        candidates = saved or list(files)
        if len(candidates) > 1:
            raise OptionsError(
                f"output-node: nodes {join_names(candidates)} made images; give "
                f"{with_option('output_node', 'NODE')}"
            )
        return candidates[0]


class _StepProgress:
    """The progress that the server's messages carry, reported by the thread that waits."""

    def __init__(self, job: StylizeJob, context: StylizeContext) -> None:
        self._job, self._context = job, context
        self._share, self._reported_share = 0.0, 0.0

    def on_message(self, message: str) -> None:
        """Read a message; those of the sampler say which of how many steps is done."""
        with suppress(ValueError):
            value = as_object(parse_json(message))
            data = as_object(value.get("data"))
            done, total = as_number(data.get("value")), as_number(data.get("max"))
            if value.get("type") == "progress" and done is not None and total:
                self._share = min(1.0, max(0.0, done / total))

    def report(self) -> None:
        """Report the progress if it has changed."""
        if self._share != self._reported_share:
            self._reported_share = self._share
            self._context.progress(self._job.index, self._reported_share)


def _list_models(client: Client) -> list[str]:
    """The checkpoints that the server has, as its plain loader lists them."""
    names = list_choices(client, "CheckpointLoaderSimple").get("ckpt_name")
    if names is None:
        raise ServerError(
            f"{client.endpoint.address}: lists no checkpoints; is there another program there?"
        )
    return names


def _upload(client: Client, name: str, data: bytes) -> str:
    """Send an image file; returns the name by which LoadImage finds it."""
    fields = {"type": "input", "subfolder": _UPLOAD_FOLDER, "overwrite": "true"}
    answer = as_object(client.post_file("/upload/image", fields, "image", name, data))
    file, folder = as_text(answer.get("name")), as_text(answer.get("subfolder"))
    if not file:
        raise ServerError(f"{client.endpoint.address}: took no image; is another program there?")
    return f"{folder}/{file}" if folder else file

"""Queue a graph on a running ComfyUI, wait until it has run, and return its image files."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from kadr.errors import Cancelled
from kadr.stylize.option_hints import with_option
from kadr.stylize.servers.client import Client, ServerError, interrupt_on_failure
from kadr.stylize.servers.comfyui_graph import Graph, join_nodes
from kadr.stylize.servers.error_text import one_line
from kadr.stylize.servers.json_values import as_list, as_object, as_text

_MIN_POLL_SECONDS, _MAX_POLL_SECONDS = 0.05, 1.0
_MAX_MISSING = 3
"""Polls in a row that find a prompt neither finished nor queued, until it counts as lost."""

_STATUS_TIMEOUT = 5.0
"""Seconds for a request that only takes a prompt out of the queue."""

ImageFiles = Mapping[str, list[Mapping[str, Any]]]
"""Node id → the image files that it wrote."""


class LostPromptError(Exception):
    """The server no longer knows a prompt, for instance after a restart."""


def run_graph(
    client: Client, graph: Graph, client_id: str, on_poll: Callable[[], object]
) -> ImageFiles:
    """Queue a graph and wait until it has run; no files if all nodes came from the cache.

    on_poll: called repeatedly while waiting.
    Cancellation or an error removes the prompt from the queue, or interrupts it if it runs.
    Raises LostPromptError, and ServerError for a graph that is refused, fails or takes longer than
    the timeout.
    """
    new_id = str(uuid4())
    where = client.endpoint.address
    with interrupt_on_failure(lambda: stop_prompt(client, new_id)):
        answer = client.post_json(
            "/prompt", {"prompt": graph, "client_id": client_id, "prompt_id": new_id}
        )
    prompt_id = as_text(as_object(answer).get("prompt_id"))
    if not prompt_id:
        raise ServerError(f"{where}: queued no prompt; is there another program there?")
    try:
        entry = _wait(client, prompt_id, on_poll)
    except (Cancelled, KeyboardInterrupt, ServerError):
        stop_prompt(client, prompt_id)
        raise
    return _image_files(entry, graph, where)


def stop_prompt(client: Client, prompt_id: str) -> None:
    """Remove a prompt from the queue, or interrupt it if it is the one that runs."""
    status_client = Client(client.endpoint, _STATUS_TIMEOUT, retries=0)
    with suppress(ServerError):
        status_client.post_json("/queue", {"delete": [prompt_id]})
    with suppress(ServerError):
        # older servers ignore the id and interrupt whatever runs
        if prompt_id in _queued_ids(status_client, "queue_running"):
            status_client.post_json("/interrupt", {"prompt_id": prompt_id})


def _wait(client: Client, prompt_id: str, on_poll: Callable[[], object]) -> Mapping[str, Any]:
    """Poll until a prompt has run; returns its entry in the history."""
    end, delay, missing_count = time.monotonic() + client.timeout, _MIN_POLL_SECONDS, 0
    while True:
        history = as_object(client.get_json(f"/history/{quote(prompt_id, safe='')}"))
        if entry := as_object(history.get(prompt_id)):
            return entry
        if time.monotonic() > end:
            raise ServerError(
                f"{client.endpoint.address}: no image within {client.timeout:g} s; "
                f"give a longer {with_option('timeout', 'SECONDS')}, or ask for less"
            )
        on_poll()
        client.wait(delay)
        delay = min(_MAX_POLL_SECONDS, 1.5 * delay)
        if delay == _MAX_POLL_SECONDS:
            queued = _queued_ids(client, "queue_running") | _queued_ids(client, "queue_pending")
            missing_count = 0 if prompt_id in queued else missing_count + 1
            if missing_count == _MAX_MISSING:
                raise LostPromptError


def _queued_ids(client: Client, part: str) -> set[str]:
    """The prompt ids in a part of the queue: its entries are [number, prompt id, ...]."""
    entries = as_list(as_object(client.get_json("/queue")).get(part))
    return {as_text(entry[1]) for entry in map(as_list, entries) if len(entry) > 1}


def _image_files(entry: Mapping[str, Any], graph: Graph, where: str) -> ImageFiles:
    """The images of each node. Raises ServerError if there are only files of other kinds."""
    status = as_object(entry.get("status"))
    if status.get("status_str") == "error":
        raise ServerError(f"{where}: {_failure(status)}")
    files: dict[str, list[Mapping[str, Any]]] = {}
    others: dict[str, str] = {}
    for node, output in as_object(entry.get("outputs")).items():
        for kind, items in as_object(output).items():
            entries = map(as_object, as_list(items))
            named = [item for item in entries if as_text(item.get("filename"))]
            if named and kind == "images":
                files[node] = named
            elif named or (kind == "images" and as_list(items)):
                others.setdefault(node, kind)
    if others and not files:
        node, kind = next(iter(others.items()))
        # the same graph would leave the same files again
        raise ServerError(
            f"{where}: node {join_nodes(graph, [node])} wrote {one_line(kind, 40)}, and no node "
            "wrote an image that has a name; end the workflow in a SaveImage node"
        )
    return files


def _failure(status: Mapping[str, Any]) -> str:
    """What went wrong, from the messages of a run: each is [name, details]."""
    for message in map(as_list, as_list(status.get("messages"))):
        if len(message) != 2:
            continue
        name, details = message[0], as_object(message[1])
        if name == "execution_interrupted":
            return "the work was interrupted at the server; run again to go on"
        if name == "execution_error":
            text = one_line(str(details.get("exception_message", "")), 200)
            node = f"node {details.get('node_id')} ({details.get('node_type')})"
            advice = "; give fewer pixels" if "out of memory" in text.lower() else ""
            return f"{node}: {details.get('exception_type')}: {text}{advice}"
    return "the workflow failed; see the server's log"

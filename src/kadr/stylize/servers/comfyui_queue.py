"""A graph in, the images that a running ComfyUI made by it out: queued, watched, fetched."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

from kadr.errors import Cancelled
from kadr.stylize.servers.comfyui_graph import Graph
from kadr.stylize.servers.http import Client, ServerError, stopping

_SHORTEST_POLL, _LONGEST_POLL = 0.05, 1.0
_LOST_AFTER = 3
"""Looks in a row that find a prompt neither done nor queued, until it counts as lost."""

_ASIDE_SECONDS = 5.0

Images = Mapping[str, list[Mapping[str, Any]]]
"""Node id → files that it made."""


class LostError(Exception):
    """The server forgot a prompt, as when it was started again."""


def run_graph(
    client: Client, graph: Graph, client_id: str, meanwhile: Callable[[], object]
) -> Images:
    """Queue a graph and wait until it has run; images are none where all came from its cache.

    A stop takes the prompt out of the queue, or interrupts it if it runs; so does whatever keeps
    its images from being waited for. Raises LostError, or ServerError for a graph that is refused
    or fails, and when it takes longer than the time-out.
    """
    asked = str(uuid4())
    where = client.endpoint.shown
    with stopping(lambda: stop_prompt(client, asked)):
        answer = client.post_json(
            "/prompt", {"prompt": graph, "client_id": client_id, "prompt_id": asked}
        )
    prompt = answer.get("prompt_id") if isinstance(answer, dict) else None
    if not isinstance(prompt, str):
        raise ServerError(f"{where}: queued no prompt; is there another program at url?")
    try:
        entry = _wait(client, prompt, meanwhile)
    except (Cancelled, KeyboardInterrupt, ServerError):
        stop_prompt(client, prompt)
        raise
    return _images(entry, where)


def stop_prompt(client: Client, prompt: str) -> None:
    """Take a prompt out of the queue, or interrupt it if it is the one that runs."""
    aside = Client(client.endpoint, _ASIDE_SECONDS, retries=0)
    with suppress(ServerError):
        aside.post_json("/queue", {"delete": [prompt]})
    with suppress(ServerError):
        # older servers interrupt whatever runs, whoever it belongs to
        if prompt in _queued(aside, "queue_running"):
            aside.post_json("/interrupt", {"prompt_id": prompt})


def _wait(client: Client, prompt: str, meanwhile: Callable[[], object]) -> Mapping[str, Any]:
    end, pause, missing = time.monotonic() + client.timeout, _SHORTEST_POLL, 0
    while True:
        entry = client.get_json(f"/history/{prompt}")
        if isinstance(entry, dict) and isinstance(entry.get(prompt), dict):
            return dict(entry[prompt])
        if time.monotonic() > end:
            raise ServerError(
                f"{client.endpoint.shown}: no image within {client.timeout:g} s; "
                "give a longer timeout, or ask for less"
            )
        meanwhile()
        client.wait(pause)
        pause = min(_LONGEST_POLL, 1.5 * pause)
        if pause == _LONGEST_POLL:
            queued = _queued(client, "queue_running") | _queued(client, "queue_pending")
            missing = 0 if prompt in queued else missing + 1
            if missing == _LOST_AFTER:
                raise LostError


def _queued(client: Client, which: str) -> set[str]:
    """The prompts in a part of the queue: entries are [number, prompt id, ...]."""
    answer = client.get_json("/queue")
    entries = answer.get(which) if isinstance(answer, dict) else None
    entries = entries if isinstance(entries, list) else []
    return {str(entry[1]) for entry in entries if isinstance(entry, list) and len(entry) > 1}


def _images(entry: Mapping[str, Any], where: str) -> Images:
    status = entry.get("status")
    if isinstance(status, dict) and status.get("status_str") == "error":
        raise ServerError(f"{where}: {_failure(status)}")
    outputs = entry.get("outputs")
    nodes = outputs.items() if isinstance(outputs, dict) else ()
    images = {key: made.get("images") for key, made in nodes if isinstance(made, dict)}
    return {key: files for key, files in images.items() if isinstance(files, list) and files}


def _failure(status: Mapping[str, Any]) -> str:
    """What went wrong, from the messages that a run leaves: [name, facts] each."""
    messages = status.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, list) or len(message) != 2 or not isinstance(message[1], dict):
            continue
        name, facts = message
        if name == "execution_interrupted":
            return "the work was interrupted at the server; run again to go on"
        if name == "execution_error":
            words = " ".join(str(facts.get("exception_message", "")).split())[:200]
            node = f"node {facts.get('node_id')} ({facts.get('node_type')})"
            help = "; give fewer pixels" if "out of memory" in words.lower() else ""
            return f"{node}: {facts.get('exception_type')}: {words}{help}"
    return "the workflow failed; see the server's log"

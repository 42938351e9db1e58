"""Read a ComfyUI graph from a file: exported JSON, or a PNG that ComfyUI made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kadr.core.formatting import size
from kadr.core.png import SIGNATURE
from kadr.errors import InputError
from kadr.stylize.infotext_files import png_text
from kadr.stylize.servers.comfyui_graph import Graph
from kadr.stylize.servers.json_values import as_object, parse_json

_MAX_BYTES = 1 << 26
_MAX_NODES = 5000
"""More than any workflow has; searches along links take time for each."""

_GRAPH_TEXT, _EDITOR_TEXT = "prompt", "workflow"
"""Names of the texts in a PNG: the graph in API format, and what the editor saves."""

_EXPORT = "export it with Export (API)"


def load_graph(path: Path) -> Graph:
    """Read a graph in API format. Raises InputError if the file holds none."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a workflow") from error
    if len(data) > _MAX_BYTES:
        raise InputError(f"{path}: over {size(_MAX_BYTES)}; {_EXPORT} from ComfyUI again")
    if data.startswith(SIGNATURE):
        return parse_graph(_picture_text(data, path), path)
    return parse_graph(data, path)


def graph_text(data: bytes) -> str | None:
    """The text of the graph in the bytes of a PNG that ComfyUI made; None if there is none."""
    return png_text(data, _GRAPH_TEXT) if data.startswith(SIGNATURE) else None


def _picture_text(data: bytes, path: Path) -> str:
    text = graph_text(data)
    if text is not None:
        return text
    if png_text(data, _EDITOR_TEXT) is not None:
        raise InputError(
            f"{path}: the picture holds only the workflow as the editor saves it; open it in "
            f"ComfyUI and {_EXPORT}"
        )
    raise InputError(
        f"{path}: a picture without a ComfyUI graph; give one that ComfyUI saved itself, or the "
        "JSON file of Export (API)"
    )


def parse_graph(text: str | bytes, path: Path) -> Graph:
    """The graph in a JSON text. Raises InputError naming ``path`` if it is none."""
    try:
        value = parse_json(text)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not JSON but other data; {_EXPORT} from ComfyUI") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); export it from ComfyUI again") from error
    graph = as_object(value)
    graph = as_object(graph.get("prompt")) or graph
    if "nodes" in graph and "links" in graph:
        raise InputError(f"{path}: a workflow as the editor saves it; {_EXPORT} instead")
    if not graph or not all(map(_is_node, graph.values())):
        raise InputError(f"{path}: not a ComfyUI graph; {_EXPORT}")
    if len(graph) > _MAX_NODES:
        raise InputError(f"{path}: {len(graph)} nodes; kadr takes up to {_MAX_NODES}")
    # what the server noted about a former run would hide from it that the frame is another
    return {
        key: {name: item for name, item in node.items() if name != "is_changed"}
        for key, node in graph.items()
    }


def _is_node(node: Any) -> bool:
    return isinstance(node, dict) and isinstance(node.get("inputs"), dict)

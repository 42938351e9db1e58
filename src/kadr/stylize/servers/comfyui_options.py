"""Options of the stylizer ``comfyui``: the server, the workflow and what to change in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kadr.errors import OptionsError
from kadr.option_fields import option
from kadr.stylize.servers.options import ServerOptions, as_tuple
from kadr.stylize.shared_help import SHARED_HELP


@dataclass(frozen=True)
class ComfyUIOptions(ServerOptions):
    """How a running ComfyUI restyles frames. Nodes are named by id, by title or by class.

    An option that is empty or None leaves the workflow as it is.
    """

    url: str = option("http://127.0.0.1:8188", "the address of the server")
    pixels: int | None = option(
        None, "pixels to work at", low=4096, high=8192**2,
        unset="the frame's own for a workflow, else 512×512",
    )  # fmt: skip
    workflow: Path | None = option(
        None, SHARED_HELP["workflow"], unset="plain image to image with the model"
    )
    model: str = option("", "checkpoint, by its name on the server")
    prompt: str = option("", SHARED_HELP["prompt"])
    negative_prompt: str = option("", SHARED_HELP["negative_prompt"])
    denoising_strength: float | None = option(
        None, SHARED_HELP["denoising_strength"], low=0, high=1
    )
    cfg_scale: float | None = option(None, SHARED_HELP["cfg_scale"], low=0, high=100)
    sampler: str = option("", "the stepping rule, by its name in ComfyUI or A1111")
    scheduler: str = option("", "the noise levels, by their name in ComfyUI")
    steps: int | None = option(None, SHARED_HELP["steps"], low=1, high=10000)
    seed: int | None = option(None, SHARED_HELP["seed"], low=0, high=2**64 - 1)
    seed_each: bool = option(False, "a seed for each frame, derived from the seed of the run")

    image_node: str = option("", "the node that loads the frame, if there are several")
    prompt_node: str = option("", "the node of the prompt, if it is not clear which one")
    negative_node: str = option("", "the node of the negative prompt, if it is not clear which one")
    sampler_node: str = option(
        "", "the node with the steps, the denoising strength ..., if there are several"
    )
    output_node: str = option("", "the node whose image is the result, if there are several")
    patch: tuple[str, ...] = option((), "more changes, each NODE.input=value")

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "patch", as_tuple(self.patch))
        if self.workflow is not None:
            object.__setattr__(self, "workflow", Path(self.workflow).expanduser())
        for text in self.patch:
            node, _, field = text.partition("=")[0].rpartition(".")
            if "=" not in text or not node or not field:
                raise OptionsError(f"patch {text!r}: expected NODE.input=value, e.g. 3.steps=20")
        if self.seed is not None and self.seed_each:
            raise OptionsError("seed-each: gives each frame its own seed; leave out seed")

    def working_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) in which a frame is sent, always multiples of 8."""
        if self.pixels is None and self.width is None and self.workflow is not None:
            return max(8, round(size[0] / 8) * 8), max(8, round(size[1] / 8) * 8)
        return super().working_size(size)

"""Options of the stylizer ``comfyui``: the server, the workflow and what to change in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kadr.errors import OptionsError
from kadr.options import option
from kadr.stylize.servers.options import ServerOptions, as_tuple


@dataclass(frozen=True)
class ComfyUIOptions(ServerOptions):
    """How a running ComfyUI restyles frames. Nodes are named by id, by title or by class.

    An option that is empty or None leaves the workflow as it is.
    """

    url: str = option("http://127.0.0.1:8188", "the server's address")
    pixels: int | None = option(
        None,
        "pixels that the model works at; default: the frame's with a workflow, otherwise 512×512",
        low=4096,
        high=8192**2,
    )
    workflow: Path | None = option(
        None, "a graph saved by Export (API); default: plain image to image with the model"
    )
    model: str = option("", "checkpoint, by its name on the server")
    prompt: str = option("", "what the frames should look like; (word:1.2) emphasizes a word")
    negative_prompt: str = option("", "what they should not look like")
    denoising_strength: float | None = option(
        None, "how much a frame changes; 0: unchanged, 1: only the prompt counts", low=0, high=1
    )
    cfg_scale: float | None = option(None, "how strictly the prompt is followed", low=0, high=100)
    sampler: str = option("", "the sampler, by ComfyUI's name or A1111's")
    scheduler: str = option("", "the noise schedule, by ComfyUI's name")
    steps: int | None = option(None, "sampling steps", low=1, high=10000)
    seed: int | None = option(None, "seed of the noise, the same for all", low=0, high=2**64 - 1)
    seed_each: bool = option(
        False, "use a different seed for each frame, derived from the run's seed"
    )

    image_node: str = option("", "the node that loads the frame, if there are several")
    prompt_node: str = option("", "the node that holds the prompt, if it is not found")
    negative_node: str = option("", "the node that holds the negative prompt, if it is not found")
    sampler_node: str = option(
        "", "the sampler whose steps, strength ... change, if there are several"
    )
    output_node: str = option("", "the node whose image is used, if there are several")
    patch: tuple[str, ...] = option((), "further changes, as NODE.input=value")

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

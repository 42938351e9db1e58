"""What can be chosen about frames that ComfyUI makes: its server, the workflow, what to change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kadr.errors import OptionsError
from kadr.options import option
from kadr.stylize.servers.options import ServerOptions, as_tuple


@dataclass(frozen=True)
class ComfyUIOptions(ServerOptions):
    """How a running ComfyUI restyles frames. Nodes go by id, by title, or by class.

    What is empty or none is left as the workflow has it.
    """

    url: str = option("http://127.0.0.1:8188", "the server's address")
    pixels: int | None = option(
        None, "pixels to work at; none: the frame's own for a workflow, else 512×512", low=4096,
        high=8192**2,
    )  # fmt: skip
    workflow: Path | None = option(
        None, "a graph saved by Export (API); none: plain image to image with the model"
    )
    model: str = option("", "checkpoint by its name there")
    prompt: str = option("", "what the frames are to look like; (word:1.2) stresses a word")
    negative_prompt: str = option("", "what they are not to look like")
    denoising_strength: float | None = option(
        None, "how far from the filmed frame; 0: as filmed, 1: only the prompt", low=0, high=1
    )
    cfg_scale: float | None = option(None, "how firmly the prompt is followed", low=0, high=100)
    sampler: str = option("", "the stepping rule, by ComfyUI's name or A1111's")
    scheduler: str = option("", "the noise levels, by ComfyUI's name")
    steps: int | None = option(None, "sampling steps", low=1, high=10000)
    seed: int | None = option(None, "of the noise, the same for every frame", low=0, high=2**64 - 1)
    seed_each: bool = option(False, "each frame its own noise, from the run's seed")

    image_node: str = option("", "the node that loads the frame, where there are several")
    prompt_node: str = option("", "the node of the prompt, where it cannot be told")
    negative_node: str = option("", "the node of the negative prompt, where it cannot be told")
    sampler_node: str = option("", "the node whose steps, strength ... change, among several")
    output_node: str = option("", "the node whose image is taken, where there are several")
    patch: tuple[str, ...] = option((), "further changes, each NODE.input=value")

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "patch", as_tuple(self.patch))
        if self.workflow is not None:
            object.__setattr__(self, "workflow", Path(self.workflow).expanduser())
        for text in self.patch:
            node, _, rest = text.partition("=")[0].rpartition(".")
            if "=" not in text or not node or not rest:
                raise OptionsError(f"patch {text!r}: expected NODE.input=value, e.g. 3.steps=20")
        if self.seed is not None and self.seed_each:
            raise OptionsError("seed-each: gives each frame its own seed; leave out seed")

    def working_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) that a frame is sent in, multiples of 8 always."""
        if self.pixels is None and self.width is None and self.workflow is not None:
            return max(8, round(size[0] / 8) * 8), max(8, round(size[1] / 8) * 8)
        return super().working_size(size)

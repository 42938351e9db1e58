"""Options of the stylizer ``a1111``, named as in the web interface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kadr.errors import OptionsError
from kadr.option_fields import FILMED_FRAME, check_unused, option
from kadr.stylize.option_hints import with_option
from kadr.stylize.servers.options import ServerOptions, as_tuple
from kadr.stylize.shared_help import SHARED_HELP

INVERSIONS = ("none", "plain", "adjusted")
NOISE_SOURCES = ("", "gpu", "cpu", "nv")
_INVERSION_OPTIONS = (
    "original_prompt",
    "original_negative_prompt",
    "decode_cfg_scale",
    "decode_steps",
    "randomness",
)


@dataclass(frozen=True)
class A1111Options(ServerOptions):
    """How a running A1111, Forge or SD.Next restyles frames."""

    url: str = option("http://127.0.0.1:7860", "the server's address; it must run with --api")
    prompt: str = option("", SHARED_HELP["prompt"])
    negative_prompt: str = option("", SHARED_HELP["negative_prompt"])
    denoising_strength: float = option(0.5, SHARED_HELP["denoising_strength"], low=0, high=1)
    cfg_scale: float = option(7.0, SHARED_HELP["cfg_scale"], low=0, high=100)
    sampler: str = option(
        "", "the stepping rule, by its name on the server", unset="Euler a, or Euler with inversion"
    )
    scheduler: str = option(
        "", "the noise levels, by their name on the server", unset="the sampler's own"
    )
    steps: int = option(20, SHARED_HELP["steps"], low=1, high=1000)
    exact_steps: bool = option(False, "run all steps whatever the denoising strength")
    seed: int | None = option(
        0, f"{SHARED_HELP['seed']}; none: a seed for each frame", low=0, high=2**32 - 1
    )
    noise_source: str = option(
        "", "random number generator: gpu, cpu, nv", unset="as the server is set"
    )
    model: str = option(
        "", "checkpoint, by its name on the server", unset="the one that is loaded there"
    )
    vae: str = option("", "autoencoder, by its name on the server", unset="as the server is set")
    clip_skip: int | None = option(
        None, "which layer of the text encoder is used, counted from the last", low=1, high=12,
        unset="as the server is set",
    )  # fmt: skip
    color_correction: bool = option(False, "give the result the colours of the filmed frame")

    inversion: str = option(
        "none", f"{SHARED_HELP['inversion']}: plain, adjusted, none", needs=FILMED_FRAME
    )
    original_prompt: str = option("", SHARED_HELP["original_prompt"], needs=FILMED_FRAME)
    original_negative_prompt: str = option(
        "", SHARED_HELP["original_negative_prompt"], needs=FILMED_FRAME
    )
    decode_cfg_scale: float = option(
        1.0, SHARED_HELP["decode_cfg_scale"], low=0, high=100, needs=FILMED_FRAME
    )
    decode_steps: int | None = option(
        None, SHARED_HELP["decode_steps"], low=1, high=1000, unset="as many as sampling takes",
        needs=FILMED_FRAME,
    )  # fmt: skip
    randomness: float = option(0.0, SHARED_HELP["randomness"], low=0, high=1, needs=FILMED_FRAME)

    controlnet: tuple[str, ...] = option(
        (), "ControlNets by their names on the server, each NAME or NAME:WEIGHT"
    )
    control: tuple[str, ...] = option(
        (), "the control image of each ControlNet: a preprocessor of the server such as canny, or "
        "@ and the name of one that kadr makes",
    )  # fmt: skip
    send_mask: bool = option(False, "send the mask to the server, so that it paints only there")
    mask_blur: int = option(4, "blur of the sent mask's edge in pixels", low=0, high=64)
    payload: Path | None = option(None, "a JSON file with more fields for each request")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sampler:
            # the new noise of an ancestral sampler would undo the inversion
            object.__setattr__(self, "sampler", "Euler a" if self.inversion == "none" else "Euler")
        for name in ("controlnet", "control"):
            object.__setattr__(self, name, as_tuple(getattr(self, name)))
        if self.payload is not None:
            object.__setattr__(self, "payload", Path(self.payload).expanduser())
        for name, choices in (("inversion", INVERSIONS), ("noise_source", NOISE_SOURCES)):
            value = getattr(self, name)
            if value not in choices:
                expected = ", ".join(choice or "nothing" for choice in choices)
                raise OptionsError(f"{name.replace('_', '-')} {value!r}: expected {expected}")
        if len(self.control) != len(self.controlnet):
            raise OptionsError(
                f"control: {len(self.control)} given for {len(self.controlnet)} ControlNets; "
                "give one for each, in the same order"
            )
        if self.inversion == "none":
            check_unused(self, _INVERSION_OPTIONS, "inversion", with_option("inversion", "plain"))
        if not self.send_mask:
            check_unused(self, ("mask_blur",), "a mask that is sent", with_option("send_mask"))

"""Options of all methods and of edges: light, since the command line reads them for its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kadr.errors import OptionsError
from kadr.option_fields import check_fields, option

RANGES = ("auto", "0-1", "0-255", "-1-1", "imagenet")
"""Values that a model may take for colours; auto: as its file says."""
ORDERS = ("auto", "rgb", "bgr")
"""Orders of the channels of a model's input."""


@dataclass(frozen=True)
class PropagateOptions:
    """Where the painted masks are."""

    painted: Path | None = option(None, "masks painted on some frames: an image or a folder")

    def __post_init__(self) -> None:
        if self.painted is None:
            raise OptionsError("method propagate: needs painted masks; give --from PAINTED")
        object.__setattr__(self, "painted", Path(self.painted))


@dataclass(frozen=True)
class DifferenceOptions:
    """What the clip is compared with, and from which difference on."""

    clean_plate: Path | None = option(
        None, "an image of the empty scene", unset="the median of the clip"
    )
    threshold: float | None = option(
        None, "difference from which a pixel is the subject's, in levels of 255",
        low=1, high=255, unset="from the noise",
    )  # fmt: skip
    keep_shadows: bool = option(False, "shadows belong to the subject")

    def __post_init__(self) -> None:
        check_fields(self)
        if self.clean_plate is not None:
            object.__setattr__(self, "clean_plate", Path(self.clean_plate))


@dataclass(frozen=True)
class OnnxOptions:
    """The model, and what of it cannot be read from its file."""

    model: Path | None = option(None, "an .onnx file of a segmentation or matting model")
    model_class: int | None = option(
        None, "class that is the subject, for a model of several", low=0, high=100000,
        unset="all but the first",
    )  # fmt: skip
    model_range: str = option("auto", f"values that it takes: {', '.join(RANGES)}")
    model_order: str = option("auto", f"order of its channels: {', '.join(ORDERS)}")
    model_size: int | None = option(
        None, "longer side at which it works, if it takes any size", low=32, high=8192, unset="512"
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.model is None:
            raise OptionsError("method onnx: needs a model; give --model FILE.onnx")
        object.__setattr__(self, "model", Path(self.model))
        for name, allowed in (("model_range", RANGES), ("model_order", ORDERS)):
            value = getattr(self, name)
            if value not in allowed:
                raise OptionsError(
                    f"{name.replace('_', '-')} {value!r}: expected one of {', '.join(allowed)}"
                )


@dataclass(frozen=True)
class EdgeOptions:
    """What is done to the outline of mattes, in this order: grow, feather, invert."""

    grow: float = option(
        0.0, "move the outline outwards by this many pixels, inwards if below 0",
        low=-500, high=500,
    )  # fmt: skip
    feather: float = option(
        0.0, "soften the outline by a blur of this many pixels", low=0, high=500
    )
    invert: bool = option(False, "white is all but the subject")

    def __post_init__(self) -> None:
        check_fields(self)

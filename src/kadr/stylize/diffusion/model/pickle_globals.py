"""What a pickle of weights may name beside tensors, and an inert class in place of each.

Checkpoints of official sources hold, beside their weights, the state of the training program that
wrote them. Which of its classes are let through follows the list of A1111's ``safe.py``; nothing of
them is imported or called, as only tensors are used.
"""

from __future__ import annotations

from typing import Any


class IgnoredObject:
    """Takes the place of an object that is not used; accepts and forgets every argument."""

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class StoredParameters:
    """Takes the place of a ``ParameterDict``, as old textual inversions hold one."""

    def entries(self) -> dict[str, Any]:
        """Its named tensors."""
        return dict(self.__dict__.get("_parameters", {}))


_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")

ALLOWED_GLOBALS: tuple[tuple[type, str], ...] = (
    (StoredParameters, "torch.nn.modules.container.ParameterDict"),
    *(
        (IgnoredObject, name)
        for name in (
            "pytorch_lightning.callbacks.model_checkpoint",
            "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
            "numpy.dtype",
            "numpy.ndarray",
            *(f"{module}.{name}" for module in _NUMPY for name in ("scalar", "_reconstruct")),
        )
    ),
)
"""Class that takes the place → the full name in the pickle, as ``torch`` takes them."""

"""Painted keys and the masks of their figure in, what is wrong with them out, before any work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kadr.core.events import CancelToken
from kadr.errors import InputError
from kadr.propagate import paint_beside
from kadr.render.run_context import RunContext
from kadr.stylize.external import KeyFile, load_key


def figure_notices(run: RunContext, keys: Sequence[KeyFile], cancel: CancelToken) -> Iterator[str]:
    """A notice if no key is painted beside its figure, so that the masks move nothing.

    Raises InputError for a key that nothing tells the paint of the figure from the rest of, or that
    is painted where its frame shows no figure.
    """
    assert run.figures is not None, "a run without a figure has none to check"
    figure, is_beside = run.options.figure, False
    for key in keys:
        cancel.check()
        image = load_key(key, run.size, fit=run.options.fit_keys, turn=run.key_turn)
        if image.shape[2] == 4:
            painted = image[..., 3] > 127
        elif run.masks is None:
            raise InputError(
                f"{key.path}: is opaque, so all of it would move with the figure of {figure}; make "
                "what does not belong to the figure transparent, or give a mask of what does"
            )
        else:
            painted = np.ones(image.shape[:2], np.bool_)
        silhouette = run.figures.matte(key.index) >= 0.5
        if painted.any() and not silhouette.any():
            raise InputError(
                f"{figure}: the mask of frame {run.clip.number(key.index)} shows no figure, but "
                f"{key.path} is painted; mask the figure there, or leave the key out"
            )
        is_beside = is_beside or bool(paint_beside(silhouette, painted).any())
    if not is_beside:
        yield (
            f"{figure}: no key is painted beside the figure, so there is nothing for its masks to "
            "move; leave it out"
        )

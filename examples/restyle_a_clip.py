"""Restyle a clip from painted keyframes: restyle_a_clip.py CLIP KEYS_FOLDER OUTPUT"""

import sys
from pathlib import Path

import kadr


def show(event: kadr.Event) -> None:
    """Print the progress of writing the output."""
    if event.step == "write":
        print(f"\rframe {event.index} of {event.total}", end="", flush=True)


clip, keys, output = (Path(name) for name in sys.argv[1:])
options = kadr.RunOptions(
    clip=clip,
    keys=(keys,),
    output=output,
    propagate=kadr.detail_options("medium", deflicker=3.0),
    overwrite=True,
)
result = kadr.restyle(options, on_event=show)
print(f"\n{result.output}: {result.frame_count} frames in {result.seconds:.0f} s")

"""How an option of a stylizer is written, for messages that ask for it."""

from __future__ import annotations

SHARED_FLAGS = frozenset(
    {
        "prompt",
        "negative_prompt",
        "model",
        "denoising_strength",
        "cfg_scale",
        "sampler",
        "steps",
        "seed",
        "inversion",
        "original_prompt",
        "lora",
        "lora_dir",
        "batch",
        "download",
        "url",
        "server_patience",
        "workflow",
    }
)
"""Options that are flags of the command line; all others are given with ``-O``."""


def with_option(name: str, value: str = "yes") -> str:
    """An option with a value as the command line takes it, such as ``--model PATH``.

    name: a field of a stylizer's options. In project.toml it has the same name, without dashes
    before it.
    """
    dashed = name.replace("_", "-")
    if name not in SHARED_FLAGS:
        return f"-O {dashed}={value}"
    return f"--{dashed}" if value == "yes" else f"--{dashed} {value}"

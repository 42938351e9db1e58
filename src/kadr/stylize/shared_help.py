"""Help of options that several stylizers have, by the name of the field."""

from __future__ import annotations

from collections.abc import Mapping

SHARED_HELP: Mapping[str, str] = {
    "prompt": "what the frames should show; (word:1.2) emphasizes a word",
    "negative_prompt": "what the frames should not show",
    "denoising_strength": "how far from the filmed frame; 0: as filmed, 1: only the prompt",
    "cfg_scale": "how closely the prompt is followed; 1: off",
    "steps": "sampling steps",
    "seed": "seed of the noise, the same for every frame",
    "inversion": "find the noise that regenerates each frame (img2img alternative)",
    "original_prompt": "what the filmed frames show; for inversion",
    "original_negative_prompt": "what the filmed frames do not show; for inversion",
    "decode_cfg_scale": "cfg-scale during inversion",
    "decode_steps": "steps of inversion",
    "randomness": "share of the inverted noise that is replaced by noise of the seed",
    "lora": "LoRA files, each PATH or PATH:WEIGHT",
    "lora_dir": "the folder of the LoRA files that <lora:NAME:WEIGHT> in the prompt names",
    "batch": "frames that are stylized at once",
    "download": "download the model from the hub if it is not on this machine",
    "server_patience": "seconds to wait for a server that starts or restarts",
    "workflow": "a graph saved by ComfyUI's Export (API), or a PNG that ComfyUI made",
    "width": "width that the model works at",
    "height": "height that the model works at",
    "pixels": "pixels that the model works at if no width and height are set",
}

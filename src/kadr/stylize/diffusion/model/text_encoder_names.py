"""Text encoder weights of a single file in, the same under the names of transformers out."""

from __future__ import annotations

from kadr.stylize.diffusion.model.weights import Weights

_OPEN_CLIP = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}

_OPEN_CLIP_ENDS = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}


def rename_text_weights(weights: Weights, prefix: str, layers: int) -> Weights:
    """The weights of the encoder that begin with ``prefix``; only its first ``layers`` layers.

    The new names are those of transformers, but without a leading ``text_model.``.
    """
    originals = {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }
    if not any(name.startswith("transformer.resblocks.") for name in originals):
        renamed = {name.removeprefix("text_model."): value for name, value in originals.items()}
        renamed.pop("embeddings.position_ids", None)
        return renamed
    renamed = {new: originals[old] for old, new in _OPEN_CLIP_ENDS.items() if old in originals}
    if "text_projection" in originals:
        renamed["text_projection.weight"] = originals["text_projection"].T.contiguous()
    for layer in range(layers):
        block, new_block = f"transformer.resblocks.{layer}.", f"encoder.layers.{layer}."
        for kind in ("weight", "bias"):
            joined = originals.get(f"{block}attn.in_proj_{kind}")
            if joined is not None:
                for letter, value in zip("qkv", joined.chunk(3)):
                    renamed[f"{new_block}self_attn.{letter}_proj.{kind}"] = value.contiguous()
            for old, new in _OPEN_CLIP.items():
                if f"{block}{old}.{kind}" in originals:
                    renamed[f"{new_block}{new}.{kind}"] = originals[f"{block}{old}.{kind}"]
    return renamed

"""Text encoder weights of a single file in, the same under the names that transformers uses out."""

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


def text_weights(weights: Weights, prefix: str, layers: int) -> Weights:
    """The encoder whose weights begin with ``prefix``; only its first ``layers`` layers.

    Names have no ``text_model.`` before them, but for the projection they are transformers'.
    """
    own = {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }
    if not any(name.startswith("transformer.resblocks.") for name in own):
        kept = {name.removeprefix("text_model."): value for name, value in own.items()}
        kept.pop("embeddings.position_ids", None)
        return kept
    named = {new: own[old] for old, new in _OPEN_CLIP_ENDS.items() if old in own}
    if "text_projection" in own:
        named["text_projection.weight"] = own["text_projection"].T.contiguous()
    for place in range(layers):
        old, new = f"transformer.resblocks.{place}.", f"encoder.layers.{place}."
        for tail in ("weight", "bias"):
            joined = own.get(f"{old}attn.in_proj_{tail}")
            if joined is not None:
                for part, value in zip("qkv", joined.chunk(3)):
                    named[f"{new}self_attn.{part}_proj.{tail}"] = value.contiguous()
            for before, after in _OPEN_CLIP.items():
                if f"{old}{before}.{tail}" in own:
                    named[f"{new}{after}.{tail}"] = own[f"{old}{before}.{tail}"]
    return named

"""The word of a textual inversion stands for the vectors in its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kadr.errors import InputError
from kadr.stylize.diffusion.model.loading import load_model
from kadr.stylize.diffusion.model.textual_inversion import add_embedding


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("form", ["emb_params", "string_to_param", "parameters", "word", "flat"])
def test_embedding_is_a_word_of_its_vectors(form: str, tiny_model, tmp_path: Path) -> None:
    vectors = _random(1 if form == "flat" else 3, 32)
    if form in ("string_to_param", "parameters"):
        path = tmp_path / "my-style.pt"
        named = {"*": vectors}
        stored = torch.nn.ParameterDict(named) if form == "parameters" else named
        torch.save({"string_to_param": stored, "name": "other", "step": 5}, path)
    else:
        path = tmp_path / "my-style.safetensors"
        save_file({"emb_params": vectors} if form == "emb_params" else {"<s>": vectors}, path)
    model = load_model(str(tiny_model("sd1")))
    encoder = model.networks.encoders[0]
    plain = encoder.tokenizer("a cat")
    assert add_embedding(model.networks, path) == "my-style"
    added = list(range(49408, 49408 + len(vectors)))
    assert encoder.tokenizer("a My-Style cat, my-styles") == [
        320,
        *added,
        2368,
        267,
        *encoder.tokenizer("my-styles"),
    ]
    assert encoder.tokenizer("a cat") == plain
    table = encoder.network.state_dict()["embeddings.token_embedding.weight"]
    assert torch.equal(table[49408:], vectors)
    ids = [[49406, *added, 49407] + [49407] * (75 - len(added))]
    assert model.encode_text(0, ids)[0].shape == (1, 77, 32)


def test_xl_embedding_goes_to_both_encoders(tiny_model, tmp_path: Path) -> None:
    path = tmp_path / "both.safetensors"
    save_file({"clip_l": _random(2, 32), "clip_g": _random(2, 64)}, path)
    model = load_model(str(tiny_model("sdxl")))
    add_embedding(model.networks, path)
    for encoder in model.networks.encoders:
        assert encoder.tokenizer("both") == [49408, 49409]
    ids = [[49406, 49408, 49409, 2368, 49407] + [0] * 72]
    tokens, pooled = model.encode_text(1, ids)
    assert tokens.shape == (1, 77, 64)
    assert pooled is not None
    # what is pooled stands at the end token, not at the largest number
    later = model.encode_text(1, [[49406, 49408, 49409, 2368, 49407] + [5] * 72])[1]
    assert torch.allclose(pooled, later, atol=1e-6)


def test_embedding_faults(tiny_model, tmp_path: Path) -> None:
    networks = load_model(str(tiny_model("sd1"))).networks
    with pytest.raises(InputError, match=r"gone\.pt: not found.*textual inversion"):
        add_embedding(networks, tmp_path / "gone.pt")
    path = tmp_path / "wide.safetensors"
    save_file({"emb_params": torch.zeros(1, 48)}, path)
    with pytest.raises(InputError, match=r"wide\.safetensors: .*48 wide.*takes 32"):
        add_embedding(networks, path)
    save_file({"clip_l": torch.zeros(1, 32), "clip_g": torch.zeros(1, 64)}, path)
    with pytest.raises(InputError, match="2 text encoders, this model has 1"):
        add_embedding(networks, path)

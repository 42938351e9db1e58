"""Pickles are read as data: what official checkpoints hold is let through, code never is."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from kadr.errors import InputError
from kadr.stylize.diffusion.model.loading import load_model
from kadr.stylize.diffusion.model.weights import read_pickle, read_weights

_CALLBACKS = "pytorch_lightning.callbacks.model_checkpoint"


@pytest.fixture
def callback_class() -> type:
    """A class with the name of Lightning's, which is not installed."""
    return type("ModelCheckpoint", (), {"__module__": _CALLBACKS})


def _save(content: object, path: Path, callback: type, *, is_zip: bool = True) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("pytorch_lightning", "pytorch_lightning.callbacks", _CALLBACKS):
            patch.setitem(sys.modules, name, ModuleType(name))
        vars(sys.modules[_CALLBACKS])["ModelCheckpoint"] = callback
        torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    return path


@pytest.mark.parametrize("is_zip", [True, False])
def test_the_state_of_a_training_program_is_passed_over(
    is_zip: bool, callback_class: type, tmp_path: Path
) -> None:
    weights = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.float16)}
    state = callback_class()
    state.best = np.float32(0.25)
    content = {
        "state_dict": weights,
        "callbacks": {
            callback_class: {"best": np.float64(1.5), "all": np.arange(3)},
            "last": state,
        },
        "epoch": np.int64(7),
        "seen": {1, 2},
    }
    path = _save(content, tmp_path / "official.ckpt", callback_class, is_zip=is_zip)
    assert _CALLBACKS not in sys.modules
    found = read_weights(path)
    assert found.keys() == weights.keys()
    for name, value in weights.items():
        assert torch.equal(found[name], value)
        assert found[name].dtype == value.dtype


class _Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function: object, *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self):
        return self._call


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_that_would_run_code_is_refused_and_named(
    is_zip: bool, callback_class: type, tmp_path: Path
) -> None:
    marker, path = tmp_path / "was run", tmp_path / "bad.ckpt"
    content = {"state_dict": {}, "callbacks": {callback_class: _Call(os.mkdir, str(marker))}}
    _save(content, path, callback_class, is_zip=is_zip)
    match = r"bad\.ckpt: is a pickle that would run code.*\(it names \w+\.mkdir\).*convert"
    with pytest.raises(InputError, match=match):
        load_model(str(path))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (_Call(eval, "1"), "eval"),
        (_Call(np.fromfile, "x"), "numpy"),
        (_Call(torch.load, "x"), r"torch\.serialization\.load"),
        (_Call(getattr, "text", "upper"), "getattr"),
    ],
)
def test_relatives_of_what_is_allowed_are_refused(call: _Call, name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.pt"
    torch.save({"a": torch.ones(1), "b": call}, path)
    with pytest.raises(InputError, match=rf"bad\.pt: .*would run code.*it names {name}"):
        read_pickle(path)


def test_a_newer_pickle_protocol_hides_no_code(tmp_path: Path) -> None:
    marker, path = tmp_path / "was run", tmp_path / "bad.pt"
    torch.save({"a": _Call(os.mkdir, str(marker))}, path, pickle_protocol=4)
    with pytest.raises(InputError, match=r"bad\.pt: is a pickle that would run code"):
        read_pickle(path)
    path.write_bytes(pickle.dumps(_Call(os.mkdir, str(marker))))
    with pytest.raises(InputError, match=r"bad\.pt: is"):
        read_pickle(path)
    assert not marker.exists()

"""``kadr synth`` and ``kadr-ebsynth``: the same pictures as the library, known matches, errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_samples import Call

from kadr import Guide, SynthOptions, read_image, synthesize, write_image
from kadr.cli.ebsynth import main as ebsynth

SHIFT = 9

SETTINGS = {
    "patchsize": ("3", "patch_size", 3),
    "pyramidlevels": ("2", "levels", 2),
    "searchvoteiters": ("2", "vote_iterations", 2),
    "patchmatchiters": ("3", "search_iterations", 3),
    "stopthreshold": ("4", "stop_threshold", 4),
    "uniformity": ("500", "uniformity", 500),
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A style, two guide pairs (the second shifted by 9 pixels) and a mask, as files."""
    rng = np.random.default_rng(3)
    images = {
        "style": rng.integers(0, 256, (40, 48, 3), np.uint8),
        "source": rng.integers(0, 256, (40, 48, 3), np.uint8),
        "source2": np.repeat(rng.integers(0, 256, (40, 48, 1), np.uint8), 3, axis=2),
    }
    images["target"] = images["source"]
    images["target2"] = np.roll(images["source2"], SHIFT, axis=1)
    half = np.zeros((40, 48), np.uint8)
    half[:, :24] = 255
    images["half"] = half
    paths = {name: tmp_path / f"{name} é.png" for name in images}
    for name, image in images.items():
        write_image(paths[name], np.ascontiguousarray(image))
    return paths


def _call(files: dict[str, Path], dash: str, *extra: object) -> list[object]:
    words: list[object] = [f"{dash}style", files["style"], f"{dash}weight", "0.5"]
    words += [f"{dash}guide", files["source"], files["target"], f"{dash}weight", "2"]
    words += [f"{dash}guide", files["source2"], files["target2"]]
    for name, (text, _, _) in SETTINGS.items():
        words += [f"{dash}{name}", text]
    return [*words, f"{dash}extrapass3x3", *extra]


def test_both_programs_make_what_the_library_makes(
    kadr: Call, files: dict[str, Path], tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "ours.png", tmp_path / "theirs.png"
    arrays = tmp_path / "nnf.npy", tmp_path / "error.npy"
    extra = ("--output", ours, "--nnf", arrays[0], "--error", arrays[1])
    assert kadr("synth", *_call(files, "--", *extra)).code == 0
    words = _call(files, "-", "-output", theirs, "-backend", "cpu")
    assert ebsynth([str(word) for word in words]) == 0

    options = {field: value for _, field, value in SETTINGS.values()}
    read = {name: read_image(path) for name, path in files.items()}
    gray = read["source2"][..., :1], read["target2"][..., :1]
    synthesis = synthesize(
        read["style"],
        [Guide(read["source"], read["target"], 2.0), Guide(*gray, 0.5)],
        style_weight=0.5,
        options=SynthOptions(extra_pass_3x3=True, **options),
    )
    np.testing.assert_array_equal(read_image(ours), synthesis.image)
    np.testing.assert_array_equal(read_image(theirs), synthesis.image)
    np.testing.assert_array_equal(np.load(arrays[0]), synthesis.nnf)
    np.testing.assert_array_equal(np.load(arrays[1]), synthesis.error)


@pytest.mark.parametrize(("weights", "shift"), [(("9", "0"), 0), (("0", "9"), SHIFT)])
def test_each_weight_reaches_its_own_guide(
    kadr: Call, files: dict[str, Path], tmp_path: Path, weights: tuple[str, str], shift: int
) -> None:
    out, nnf = tmp_path / "out.png", tmp_path / "nnf.npy"
    words = ["--style", files["style"], "--weight", "0"]
    words += ["--guide", files["source"], files["target"], "--weight", weights[0]]
    words += ["--guide", files["source2"], files["target2"], "--weight", weights[1]]
    done = kadr("synth", *words, "--uniformity", "0", "-o", out, "--nnf", nnf)
    assert done.code == 0, done
    y, x = np.mgrid[:40, :48]
    expected = np.stack([x - shift, y], axis=2)
    inside = np.s_[4:-4, 4 + SHIFT : -4]
    right = (np.load(nnf) == expected).all(axis=2)[inside]
    assert right.mean() > 0.9
    shifted = np.roll(read_image(files["style"]), shift, axis=1)
    assert np.median(np.abs(read_image(out).astype(int) - shifted)[inside]) <= 1


def test_modulation_masks_and_a_start(kadr: Call, files: dict[str, Path], tmp_path: Path) -> None:
    style = read_image(files["style"])
    half = read_image(files["half"])[..., 0]
    y, x = np.mgrid[:40, :48]
    start = np.stack([x, y], axis=2).astype(np.float32)
    np.save(tmp_path / "start.npy", start)
    out = tmp_path / "out.png"
    words = ["--style", files["style"], "--guide", files["source"], files["target2"]]
    words += ["--modulation", files["half"], "--target-mask", files["half"]]
    words += ["--source-mask", files["half"], "--start-nnf", tmp_path / "start.npy"]
    words += ["--weighted-vote", "--seed", "5", "--threads", "1", "-o", out]
    done = kadr("synth", *words)
    assert done.code == 0, done
    synthesis = synthesize(
        style,
        [Guide(read_image(files["source"]), read_image(files["target2"]), 1.0)],
        modulation=half[..., None],
        target_mask=half > 127,
        source_mask=half > 127,
        start_nnf=start,
        options=SynthOptions(weighted_vote=True, seed=5),
    )
    np.testing.assert_array_equal(read_image(out), synthesis.image)
    assert not read_image(out)[:, 24:].any()


def test_a_gray_style_gives_a_gray_picture_and_alpha_is_painted_too(
    kadr: Call, files: dict[str, Path], tmp_path: Path
) -> None:
    guide = ("--guide", files["source"], files["target"])
    assert kadr("synth", "--style", files["source2"], *guide, "-o", tmp_path / "g.png").code == 0
    gray = read_image(tmp_path / "g.png")
    assert (gray == gray[..., :1]).all()

    clear = np.dstack([read_image(files["style"]), read_image(files["half"])[..., 0]])
    write_image(tmp_path / "clear.png", clear)
    call = ("synth", "--style", tmp_path / "clear.png", *guide, "-o", tmp_path / "c.png")
    assert kadr(*call).code == 0
    image = read_image(tmp_path / "c.png")
    assert image.shape == (40, 48, 4)
    assert np.abs(image[..., 3].astype(int) - clear[..., 3]).mean() < 40


def test_ebsynth_writes_output_png_and_replaces_it(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["-style", files["style"], "-guide", files["source"], files["target"]]
    quick = ["-searchvoteiters", "1", "-patchmatchiters", "1"]
    for _ in range(2):
        assert ebsynth([str(word) for word in [*words, *quick]]) == 0
    assert read_image(tmp_path / "output.png").shape == (40, 48, 3)


def test_json_says_what_was_made(kadr: Call, files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    words = ("--style", files["style"], "--guide", files["source"], files["target"], "-o", out)
    result = kadr("synth", *words, "--json").objects[-1]
    assert (result["event"], result["output"]) == ("result", str(out))
    assert (result["width"], result["height"]) == (48, 40)


def test_what_does_not_fit_is_named(
    refused: Callable[..., str], files: dict[str, Path], tmp_path: Path
) -> None:
    small = tmp_path / "small.png"
    write_image(small, np.zeros((20, 24, 3), np.uint8))
    np.save(tmp_path / "flat.npy", np.zeros((4, 4)))
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "there.png").write_bytes(b"dear")
    style, source, target = files["style"], files["source"], files["target"]
    base = ("--style", style, "--guide", source, target)
    out = ("-o", tmp_path / "out.png")
    for words, message in [
        (("--style", tmp_path / "no.png", "--guide", source, target, *out), "no.png: cannot be"),
        (("--style", style, "--guide", small, target, *out), "small.png: 24×20 pixels, but"),
        ((*base, "--guide", source, small, *out), "small.png: 24×20 pixels, but"),
        ((*base, "--modulation", small, *out), "small.png: 24×20"),
        ((*base, "--target-mask", small, *out), "small.png: 24×20"),
        ((*base, "--source-mask", small, *out), "small.png: 24×20"),
        ((*base, "--start-nnf", tmp_path / "flat.npy", *out), "flat.npy: float64 of shape (4, 4)"),
        ((*base, "--start-nnf", tmp_path / "text.npy", *out), "text.npy: not an array"),
        ((*base, "--start-nnf", tmp_path / "no.npy", *out), "no.npy: cannot be read"),
        ((*base, "--backend", "cuda", *out), "backend 'cuda'"),
        ((*base, "-o", tmp_path / "out.mp4"), "out.mp4: unknown image type '.mp4'"),
        ((*base, "-o", tmp_path / "there.png"), "there.png: exists already; use --overwrite"),
        ((*base, "-o", tmp_path / "there.png" / "o.png"), "there.png is a file"),
        ((*base, *out, "--nnf", tmp_path / "flat.npy"), "flat.npy: exists already"),
        (base, "no output"),
    ]:
        assert message in refused("synth", *words)
    assert not (tmp_path / "out.png").exists()
    assert (tmp_path / "there.png").read_bytes() == b"dear"


def test_ebsynth_refuses_in_one_line(
    capsys: pytest.CaptureFixture[str], files: dict[str, Path]
) -> None:
    words = ["-style", files["style"], "-guide", files["source"], "gone.png", "-patchsize", "3"]
    assert ebsynth([str(word) for word in words]) == 2
    output = capsys.readouterr().err
    assert output.startswith("error: gone.png: cannot be read")
    assert output.count("\n") == 1


def test_help_names_every_option(kadr: Call, capsys: pytest.CaptureFixture[str]) -> None:
    done = kadr("synth", "--help")
    assert done.code == 0
    for name in ("style", "guide", "weight", "output", "backend", "extrapass3x3", *SETTINGS):
        assert f"--{name}" in done.out
    assert ebsynth([]) == 0
    assert capsys.readouterr().out.startswith("usage: kadr-ebsynth")

"""Command lines of the ebsynth program: every option, with one dash and with two."""

from __future__ import annotations

from pathlib import Path

import pytest

from kadr import OptionsError, SynthOptions
from kadr.cli.synth_arguments import SynthArguments, parse_synth


def _parse(line: str) -> SynthArguments:
    return parse_synth(line.split(), output="output.png")


BASE = "-style s.png -guide a.png b.png"


def test_the_defaults_are_that_programs() -> None:
    parsed = _parse(BASE)
    assert (parsed.style, parsed.output) == (Path("s.png"), Path("output.png"))
    assert (parsed.style_weight, parsed.weights) == (1.0, [1.0])
    assert parsed.options == SynthOptions(
        patch_size=5,
        levels=None,
        vote_iterations=6,
        search_iterations=4,
        stop_threshold=5,
        uniformity=3500,
        extra_pass_3x3=False,
    )


@pytest.mark.parametrize("dash", ["-", "--"])
def test_every_option_of_that_program(dash: str) -> None:
    line = (
        f"{BASE} -weight 2 -output o.png -uniformity 1000 -patchsize 7 -pyramidlevels 3 "
        "-searchvoteiters 12 -patchmatchiters 8 -stopthreshold 2 -extrapass3x3 -backend cpu"
    ).replace(" -", f" {dash}")
    parsed = _parse(line)
    assert parsed.output == Path("o.png")
    assert parsed.backend == "cpu"
    assert parsed.weights == [2.0]
    assert parsed.options == SynthOptions(
        patch_size=7,
        levels=3,
        vote_iterations=12,
        search_iterations=8,
        stop_threshold=2,
        uniformity=1000,
        extra_pass_3x3=True,
    )


@pytest.mark.parametrize(
    ("line", "style", "guides"),
    [
        ("-style s -guide a b -weight 2 -guide c d", 1.0, [2.0, 0.5]),
        ("-style s -guide a b -guide c d -weight 2", 1.0, [0.5, 2.0]),
        ("-style s -weight 3 -guide a b -guide c d -guide e f", 3.0, [1 / 3, 1 / 3, 1 / 3]),
        ("-guide a b -weight 2 -weight 4 -style s -weight 0", 0.0, [4.0]),
        ("-guide a b -style s -output o -weight 0.5", 0.5, [1.0]),
        ("-guide a b -style s -guide c d -patchsize 5 -weight 0", 1.0, [0.5, 0.0]),
        ("-style s -weight 3 -style t -guide a b", 1.0, [1.0]),
    ],
)
def test_a_weight_belongs_to_what_stands_before_it(
    line: str, style: float, guides: list[float]
) -> None:
    parsed = _parse(line)
    assert parsed.style_weight == style
    assert parsed.weights == guides


def test_kadrs_own_options() -> None:
    line = (
        "--style s.png --guide a b --modulation m.png --guide c d -o o.png --weighted-vote "
        "--seed=4 --threads 2 --source-mask p --target-mask q --start-nnf r.npy --nnf t.npy "
        "--error u.npy --overwrite --patch-size 3 --search-radius 9 --quiet -v"
    )
    parsed = parse_synth(line.split())
    assert parsed.guides[0].modulation == Path("m.png")
    assert parsed.guides[1].modulation is None
    assert parsed.options == SynthOptions(weighted_vote=True, seed=4, patch_size=3, search_radius=9)
    assert (parsed.threads, parsed.overwrite) == (2, True)
    assert (parsed.source_mask, parsed.target_mask) == (Path("p"), Path("q"))
    files = parsed.start_nnf, parsed.nnf, parsed.error, parsed.output
    assert files == (Path("r.npy"), Path("t.npy"), Path("u.npy"), Path("o.png"))


def test_names_with_spaces_and_signs_are_names() -> None:
    parsed = parse_synth(["--style", "a = %d 'q'.png", "--guide=-1.png", "ä.png", "-o", "o o.png"])
    assert parsed.style == Path("a = %d 'q'.png")
    assert (parsed.guides[0].source, parsed.guides[0].target) == (Path("-1.png"), Path("ä.png"))


def test_more_levels_than_fit_are_as_many_as_fit() -> None:
    assert _parse(f"{BASE} -pyramidlevels 100").options.levels == 32


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-style s.png", "no guide; give at least one with --guide"),
        ("-guide a b", "no style; give the painting with --style"),
        (f"{BASE} -patchsize 4", "-patchsize 4: expected an odd number"),
        (f"{BASE} --patchsize 99", "--patchsize 99: expected 3 to 15"),
        (f"{BASE} -patchsize five", "-patchsize 'five': expected a whole number"),
        (f"{BASE} -uniformity -1", "-uniformity -1.0: expected 0"),
        (f"{BASE} -searchvoteiters 0", "-searchvoteiters 0: expected 1 to 100"),
        (f"{BASE} -pyramidlevels 0", "-pyramidlevels 0: expected 1"),
        (f"{BASE} -weight -1", "-weight -1.0: expected a number, 0 or more"),
        (f"{BASE} -weight nan", "-weight nan: expected"),
        (f"{BASE} -threads 0", "-threads 0: expected 1 or more"),
        (f"{BASE} -nnf a.png", "-nnf a.png: expected a name that ends in .npy"),
        ("-weight 2 -style s -guide a b", "-weight 2.0: belongs after a --style or --guide"),
        ("-style s --modulation m -guide a b", "--modulation m: belongs after the --guide"),
        ("-style s -guide a", "-guide: expected two files"),
        ("-style s -guide a -output o.png", "-guide: its value is missing"),
        (f"{BASE} -weight", "-weight: its value is missing"),
        (f"{BASE} -frobnicate", "-frobnicate: no such option"),
        (f"{BASE} stray.png", "stray.png: no such option"),
    ],
)
def test_what_is_wrong_is_named(line: str, message: str) -> None:
    with pytest.raises(OptionsError) as caught:
        _parse(line)
    assert message in str(caught.value)

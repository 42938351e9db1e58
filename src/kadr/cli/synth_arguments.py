"""Arguments of the ``ebsynth`` program in, files, weights and options of a synthesis out.

Parsed by hand, since a weight belongs to the style or guide before it. Names may have one dash, as
in that program, or two; ``kadr synth`` and ``kadr-ebsynth`` share all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from kadr.cli.parse_values import parse_path, parse_value
from kadr.errors import OptionsError
from kadr.options import SynthOptions

USAGE = """\
usage: {program} --style S.png --guide SOURCE.png TARGET.png [--weight W] … --output OUT.png

Synthesize the targets of the guides in the style. Options may have one dash or two.

  --style FILE              the style image
  --guide SOURCE TARGET     images of what the style shows and of what the result should show;
                            may be repeated
  --weight W                weight of the style or guide before it (style: 1; guides share 1 evenly)
  --modulation FILE         where the guide before it has an effect: white fully, black not at all
  --output, -o FILE         the result
  --uniformity W            penalty for reusing a style patch (3500)
  --patchsize N             side of the square patch, odd, 3 to 15 (5)
  --pyramidlevels N         pyramid levels (as many as fit)
  --searchvoteiters N       search-and-vote rounds per level (6)
  --patchmatchiters N       PatchMatch passes per round (4)
  --stopthreshold N         a pixel that changes less than this is not searched again (5)
  --extrapass3x3            repeat the finest level with patch size 3 and without uniformity
  --backend cpu             where to compute

  --weighted-vote           good matches have more weight in the vote
  --search-radius N         radius of the random search in pixels (the whole image)
  --enough E                squared error per channel below which a match is not searched for (0)
  --near E                  squared error per channel below which only the pixels next to a match
                            are searched (0)
  --lost E                  squared error per channel above which the whole style is searched,
                            whatever the radius (never)
  --source-mask FILE        take patches only where it is white
  --target-mask FILE        make pixels only where it is white
  --start-nnf FILE.npy      initial matches: source positions (x, y), (H, W, 2)
  --nnf FILE.npy            also write the source position of every pixel, int32
  --error FILE.npy          also write the error of every patch, float32
  --seed N                  same seed, same image (1337)
  --threads N               how many cores to use (all cores); the result is the same
  --overwrite               replace an output that exists
  --quiet, -q  --verbose, -v  --json  --help, -h
"""

_OPTION_FIELDS = {
    "patchsize": "patch_size",
    "pyramidlevels": "levels",
    "searchvoteiters": "vote_iterations",
    "patchmatchiters": "search_iterations",
    "stopthreshold": "stop_threshold",
    "extrapass3x3": "extra_pass_3x3",
    "enough": "search_threshold",
    "near": "near_search_threshold",
    "lost": "full_search_threshold",
} | {item.name.replace("_", "-"): item.name for item in fields(SynthOptions)}
"""Flag → field of SynthOptions: names of ``ebsynth``, short names, and names of the fields."""

_SHORT = {"o": "output", "q": "quiet", "v": "verbose", "h": "help"}

_FLAG = re.compile(r"--?([a-z][a-z0-9-]*)")


@dataclass
class GuideFiles:
    """One ``--guide`` with its weight and modulation; weight None: its share of 1."""

    source: Path
    target: Path
    weight: float | None = None
    modulation: Path | None = None


@dataclass
class SynthArguments:
    """The files, weights and options of a command line."""

    style: Path = Path()
    style_weight: float = 1.0
    guides: list[GuideFiles] = field(default_factory=list)
    output: Path = Path()
    options: SynthOptions = field(default_factory=SynthOptions)
    backend: str = "cpu"
    source_mask: Path | None = None
    target_mask: Path | None = None
    start_nnf: Path | None = None
    nnf: Path | None = None
    error: Path | None = None
    threads: int | None = None
    overwrite: bool = False

    @property
    def weights(self) -> list[float]:
        """One weight per guide; guides without a weight get their share of 1."""
        share = 1.0 / max(1, len(self.guides))
        return [share if guide.weight is None else guide.weight for guide in self.guides]


@dataclass(frozen=True)
class Verbosity:
    """The flags for output, which are read before anything that can fail."""

    quiet: bool
    json: bool
    verbose: int
    help: bool


def parse_verbosity(arguments: Sequence[str]) -> Verbosity:
    """The flags for output, wherever they stand."""
    names = [_flag(word) for word in arguments]
    return Verbosity("quiet" in names, "json" in names, names.count("verbose"), "help" in names)


def parse_synth(
    arguments: Sequence[str], *, output: str | None = None, overwrite: bool = False
) -> SynthArguments:
    """Parse a command line, without the name of the program.

    output, overwrite: defaults. Raises OptionsError naming the option, its value and what was
    expected.
    """
    parsed = _Parser(arguments).parsed
    parsed.overwrite |= overwrite
    if not parsed.style.name:
        raise OptionsError("no style; give the painting with --style FILE")
    if not parsed.guides:
        raise OptionsError("no guide; give at least one with --guide SOURCE TARGET")
    if not parsed.output.name:
        if output is None:
            raise OptionsError("no output; give its name with --output FILE")
        parsed.output = Path(output)
    return parsed


class _Parser:
    """Goes through the arguments once and fills ``parsed``."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.parsed = SynthArguments()
        self._words = list(arguments)
        self._options: dict[str, Any] = {}
        self._last_guide: GuideFiles | None = (
            None  # the guide of the next weight; None after the style
        )
        self._handlers: dict[str, Callable[[str], None]] = {
            "style": self._style,
            "guide": self._guide,
            "weight": self._weight,
            "modulation": self._modulation,
            "backend": self._backend,
            "threads": self._threads,
            "overwrite": self._overwrite,
            **dict.fromkeys(("quiet", "json", "verbose", "help"), lambda word: None),
            **dict.fromkeys(_PATHS, self._path),
            **dict.fromkeys(_OPTION_FIELDS, self._option),
        }
        while self._words:
            word = self._words.pop(0)
            name = self._split(word)
            if name not in self._handlers:
                raise OptionsError(f"{word}: no such option; see --help")
            self._handlers[name](word.partition("=")[0] if word.startswith("--") else word)
        if self._options.get("levels") is not None:  # more levels than fit are as many as fit
            self._options["levels"] = min(self._options["levels"], _MAX_LEVELS)
        self.parsed.options = SynthOptions(**self._options)

    def _split(self, word: str) -> str | None:
        """An option's name; the value of ``--name=value`` is put back in front of the rest."""
        if word.startswith("--") and "=" in word:
            word, _, value = word.partition("=")
            self._words.insert(0, value)
        return _flag(word)

    def _value(self, word: str) -> str:
        if not self._words or _flag(self._words[0]) in self._handlers:
            raise OptionsError(f"{word}: its value is missing; see --help")
        return self._words.pop(0)

    def _number(self, word: str, kind: type[int] | type[float]) -> Any:
        return parse_value(self._value(word), kind, word)

    def _style(self, word: str) -> None:
        self.parsed.style, self.parsed.style_weight = parse_path(self._value(word)), 1.0
        self._last_guide = None

    def _guide(self, word: str) -> None:
        if len(self._words) < 2:
            raise OptionsError(f"{word}: expected two files, SOURCE TARGET")
        self._last_guide = GuideFiles(parse_path(self._value(word)), parse_path(self._value(word)))
        self.parsed.guides.append(self._last_guide)

    def _weight(self, word: str) -> None:
        weight = self._number(word, float)
        if not 0 <= weight < float("inf"):
            raise OptionsError(f"{word} {weight}: expected a number, 0 or more")
        if self._last_guide is not None:
            self._last_guide.weight = weight
        elif self.parsed.style.name:
            self.parsed.style_weight = weight
        else:
            raise OptionsError(f"{word} {weight}: belongs after a --style or --guide")

    def _modulation(self, word: str) -> None:
        path = parse_path(self._value(word))
        if self._last_guide is None:
            raise OptionsError(f"{word} {path}: belongs after the --guide that it is for")
        self._last_guide.modulation = path

    def _backend(self, word: str) -> None:
        self.parsed.backend = self._value(word)

    def _threads(self, word: str) -> None:
        self.parsed.threads = self._number(word, int)
        if self.parsed.threads < 1:
            raise OptionsError(f"{word} {self.parsed.threads}: expected 1 or more")

    def _overwrite(self, word: str) -> None:
        self.parsed.overwrite = True

    def _path(self, word: str) -> None:
        path = parse_path(self._value(word))
        name = _flag(word)
        assert name in _PATHS
        if _PATHS[name] and path.suffix != ".npy":
            raise OptionsError(f"{word} {path}: expected a name that ends in .npy")
        setattr(self.parsed, name.replace("-", "_"), path)

    def _option(self, word: str) -> None:
        name = _OPTION_FIELDS[str(_flag(word))]
        kind = _HINTS[name]
        value = True if kind is bool else parse_value(self._value(word), kind, word)
        try:
            checked: Any = min(value, _MAX_LEVELS) if name == "levels" else value
            SynthOptions(**{name: checked})
        except OptionsError as error:
            # with the name that was used on the command line
            raise OptionsError(f"{word} {value}: {str(error).partition(': ')[2]}") from error
        self._options[name] = value


def _flag(word: str) -> str | None:
    """The full name of an option, or None when ``word`` does not look like one."""
    match = _FLAG.fullmatch(word.partition("=")[0] if word.startswith("--") else word)
    return None if match is None else _SHORT.get(match[1], match[1])


_PATHS = {
    "output": False,
    "source-mask": False,
    "target-mask": False,
    "start-nnf": True,
    "nnf": True,
    "error": True,
}
"""Flag → whether its file is an array, ``.npy``."""

_HINTS = get_type_hints(SynthOptions)
_MAX_LEVELS = int(SynthOptions.__dataclass_fields__["levels"].metadata["high"])

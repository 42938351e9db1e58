"""Arguments of the ``ebsynth`` program in, what they ask for out.

Read by hand, since a weight belongs to the style or guide before it. Names may have one dash, as
that program's, or two; ``kadr synth`` and ``kadr-ebsynth`` share all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from kadr.cli.values import parse_value
from kadr.errors import OptionsError
from kadr.options import SynthOptions

USAGE = """\
usage: {program} --style S.png --guide SOURCE.png TARGET.png [--weight W] … --output OUT.png

Paint what the guides' targets show in the manner of the style. Options may have one dash or two.

  --style FILE              the painting
  --guide SOURCE TARGET     what the style shows, and what the result is to show; any number
  --weight W                of the style or guide before it (style 1, guides 1 shared out evenly)
  --modulation FILE         where the guide before it counts: white fully, black not at all
  --output, -o FILE         the result
  --uniformity W            penalty for using a piece of the style again (3500)
  --patchsize N             side of the square patch, odd, 3 to 15 (5)
  --pyramidlevels N         as many as fit, unless told
  --searchvoteiters N       search-and-vote rounds a level (6)
  --patchmatchiters N       PatchMatch passes a round (4)
  --stopthreshold N         a pixel that moves less is settled (5)
  --extrapass3x3            repeat the finest level with patch 3 and no uniformity
  --backend cpu             where to compute

  --weighted-vote           good matches weigh more in the vote
  --search-radius N         reach of random search in pixels (the whole image)
  --enough E                a squared error a channel below which nothing better is sought (0)
  --lost E                  one above which the whole style is searched, whatever the radius
  --source-mask FILE        take patches where it is white
  --target-mask FILE        make pixels where it is white
  --start-nnf FILE.npy      where to start: source positions (x, y), (H, W, 2)
  --nnf FILE.npy            also write the source position of every pixel, int32
  --error FILE.npy          also write the cost of every patch, float32
  --seed N                  same seed, same picture (1337)
  --threads N               how many cores to use (all); the result is the same
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
} | {item.name.replace("_", "-"): item.name for item in fields(SynthOptions)}
"""Flag → field of SynthOptions: under the names that ``ebsynth`` uses, and under kadr's own."""

_SHORT = {"o": "output", "q": "quiet", "v": "verbose", "h": "help"}

_FLAG = re.compile(r"--?([a-z][a-z0-9-]*)")


@dataclass
class GuideFiles:
    """One ``--guide`` with what was said of it; weight None: its share of 1."""

    source: Path
    target: Path
    weight: float | None = None
    modulation: Path | None = None


@dataclass
class SynthArguments:
    """What a command line asks for."""

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
        """One a guide, the shares of those that were given none filled in."""
        share = 1.0 / max(1, len(self.guides))
        return [share if guide.weight is None else guide.weight for guide in self.guides]


@dataclass(frozen=True)
class Talk:
    """How to speak, read before anything that can go wrong."""

    quiet: bool
    json: bool
    verbose: int
    help: bool


def parse_talk(arguments: Sequence[str]) -> Talk:
    """The flags that say how to speak, wherever they stand."""
    names = [_flag(word) for word in arguments]
    return Talk("quiet" in names, "json" in names, names.count("verbose"), "help" in names)


def parse_synth(
    arguments: Sequence[str], *, output: str | None = None, overwrite: bool = False
) -> SynthArguments:
    """Read a command line, without the program's name.

    output, overwrite: what holds when the line does not say. Raises OptionsError naming the
    option, its value and what was expected.
    """
    parser = _Parser(arguments)
    made = parser.made
    made.overwrite |= overwrite
    if not made.style.name:
        raise OptionsError("no style; give the painting with --style FILE")
    if not made.guides:
        raise OptionsError("no guide; give at least one with --guide SOURCE TARGET")
    if not made.output.name:
        if output is None:
            raise OptionsError("no output; give its name with --output FILE")
        made.output = Path(output)
    return made


class _Parser:
    """Walks over the arguments once, filling ``made``."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.made = SynthArguments()
        self._left = list(arguments)
        self._chosen: dict[str, Any] = {}
        self._last: GuideFiles | None = None  # what a weight belongs to; None after the style
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
        while self._left:
            word = self._left.pop(0)
            name = self._split(word)
            if name not in self._handlers:
                raise OptionsError(f"{word}: no such option; see --help")
            self._handlers[name](word.partition("=")[0] if word.startswith("--") else word)
        if self._chosen.get("levels") is not None:  # more than fit are as many as fit
            self._chosen["levels"] = min(self._chosen["levels"], _MOST_LEVELS)
        self.made.options = SynthOptions(**self._chosen)

    def _split(self, word: str) -> str | None:
        """An option's name; the value of ``--name=value`` is put back in front of the rest."""
        if word.startswith("--") and "=" in word:
            word, _, value = word.partition("=")
            self._left.insert(0, value)
        return _flag(word)

    def _value(self, word: str) -> str:
        if not self._left or _flag(self._left[0]) in self._handlers:
            raise OptionsError(f"{word}: its value is missing; see --help")
        return self._left.pop(0)

    def _number(self, word: str, kind: type[int] | type[float]) -> Any:
        return parse_value(self._value(word), kind, word)

    def _style(self, word: str) -> None:
        self.made.style, self.made.style_weight = Path(self._value(word)), 1.0
        self._last = None

    def _guide(self, word: str) -> None:
        if len(self._left) < 2:
            raise OptionsError(f"{word}: expected two files, SOURCE TARGET")
        self._last = GuideFiles(Path(self._value(word)), Path(self._value(word)))
        self.made.guides.append(self._last)

    def _weight(self, word: str) -> None:
        weight = self._number(word, float)
        if not 0 <= weight < float("inf"):
            raise OptionsError(f"{word} {weight}: expected a number, 0 or more")
        if self._last is not None:
            self._last.weight = weight
        elif self.made.style.name:
            self.made.style_weight = weight
        else:
            raise OptionsError(f"{word} {weight}: belongs after a --style or --guide")

    def _modulation(self, word: str) -> None:
        path = Path(self._value(word))
        if self._last is None:
            raise OptionsError(f"{word} {path}: belongs after the --guide that it is for")
        self._last.modulation = path

    def _backend(self, word: str) -> None:
        self.made.backend = self._value(word)

    def _threads(self, word: str) -> None:
        self.made.threads = self._number(word, int)
        if self.made.threads < 1:
            raise OptionsError(f"{word} {self.made.threads}: expected 1 or more")

    def _overwrite(self, word: str) -> None:
        self.made.overwrite = True

    def _path(self, word: str) -> None:
        path = Path(self._value(word))
        name = _flag(word)
        assert name in _PATHS
        if _PATHS[name] and path.suffix != ".npy":
            raise OptionsError(f"{word} {path}: expected a name that ends in .npy")
        setattr(self.made, name.replace("-", "_"), path)

    def _option(self, word: str) -> None:
        name = _OPTION_FIELDS[str(_flag(word))]
        kind = _HINTS[name]
        value = True if kind is bool else parse_value(self._value(word), kind, word)
        try:
            checked: Any = min(value, _MOST_LEVELS) if name == "levels" else value
            SynthOptions(**{name: checked})
        except OptionsError as error:
            # under the name that was used on the command line
            raise OptionsError(f"{word} {value}: {str(error).partition(': ')[2]}") from error
        self._chosen[name] = value


def _flag(word: str) -> str | None:
    """The full name of an option, or None when ``word`` does not look like one."""
    found = _FLAG.fullmatch(word.partition("=")[0] if word.startswith("--") else word)
    return None if found is None else _SHORT.get(found[1], found[1])


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
_MOST_LEVELS = int(SynthOptions.__dataclass_fields__["levels"].metadata["high"])

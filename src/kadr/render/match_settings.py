"""Options and the keys of a run in; whether and how its keys are matched out, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kadr.errors import OptionsError
from kadr.match.differ import DIFFERENT, style_differences
from kadr.match.match_key import KeyView
from kadr.render.key_pass import PassInput
from kadr.render.keyframes import KeyStyles
from kadr.render.run_context import RunContext
from kadr.render.shared_frames import SharedFrames
from kadr.render.work_frame import FrameReducer
from kadr.storage.store import fingerprint

VERSION = 2

_MOST_KEYS = 12
"""So many keys are looked at, evenly chosen, to tell whether keys differ."""
_MOST_LISTED = 12


@dataclass(frozen=True)
class MatchSettings:
    """How the keys of a run are matched.

    strength: 0–1, of colours and texture. reference: the place, among the keys, of the one that
    the others are matched to; None: towards the mean of those around each. one_style: the others
    are painted from its patches.
    """

    strength: float
    reference: int | None = None
    one_style: bool = False

    def plan(self, count: int) -> tuple[int, ...]:
        """The places of the keys that are changed, of ``count`` keys."""
        return tuple(place for place in range(count) if place != self.reference)


def check_match_options(run: RunContext, keys: KeyStyles) -> None:
    """Raise OptionsError for a reference that is no key, or if there is nothing to match."""
    options, number = run.options, run.clip.number
    by_number = {number(index) for index in keys.indices}
    for name, value in (
        ("reference-key", options.reference_key),
        ("one-style", options.one_style),
    ):
        if value is not None and value not in by_number:
            raise OptionsError(f"{name} {value}: is no key; the keys are {_listed(by_number)}")
    asked = {
        "one-style": options.one_style,
        "reference-key": options.reference_key,
        "match-keys": options.match_keys or None,
    }
    for name, asked_value in asked.items():
        if asked_value is not None and len(keys.indices) < 2:
            raise OptionsError(
                f"{name} {asked_value}: there is only one key, so it has no effect; leave it out"
            )


def match_settings(
    run: RunContext, shots: Mapping[int, int], keys: KeyStyles
) -> tuple[MatchSettings | None, list[str]]:
    """How keys are matched, None if they are not, and notices. The keys are stylized already.

    shots: key index → number of its shot.
    """
    options = run.options
    places = {run.clip.number(index): place for place, index in enumerate(keys.indices)}
    strength = 1.0 if options.match_keys is None else options.match_keys
    if options.one_style is not None:
        return MatchSettings(strength, places[options.one_style], one_style=True), []
    if options.reference_key is not None:
        return MatchSettings(strength, places[options.reference_key]), []
    if options.match_keys is not None:
        return (MatchSettings(strength) if strength else None), []
    every_frame = options.every_frame and options.every == 1
    if len(keys.indices) < 2 or every_frame or keys.is_ranged:
        return None, []  # other options in some frames mean that keys are to differ
    index, difference = _most_different(run, shots, keys)
    if difference < DIFFERENT:
        return None, []
    differs = (
        f"keys differ as if several hands had made them, that of frame {run.clip.number(index)} "
        "most"
    )
    if options.stylizer == "external":
        return None, [
            f"{differs}; --match-keys 1 matches their colours, --one-style FRAME gives all the "
            "style of one"
        ]
    return MatchSettings(strength), [f"{differs}; they are matched (--match-keys 0 does not)"]


def _most_different(
    run: RunContext, shots: Mapping[int, int], keys: KeyStyles
) -> tuple[int, float]:
    """The key whose style is farthest from that of the others of its shot; how far, CIE 1976."""
    indices = keys.indices
    if len(indices) > _MOST_KEYS:
        last = len(indices) - 1
        indices = [indices[round(i * last / (_MOST_KEYS - 1))] for i in range(_MOST_KEYS)]
    by_index = dict.fromkeys(indices, 0.0)
    for shot in {shots[index] for index in indices}:
        together = [index for index in indices if shots[index] == shot]
        if len(together) > 1:
            by_index |= zip(together, _differences(run, keys, together), strict=True)
    worst = max(by_index, key=lambda index: by_index[index])
    return worst, by_index[worst]


def _differences(run: RunContext, keys: KeyStyles, indices: Sequence[int]) -> list[float]:
    """How far each of some keys of a shot differs from the others; measured once for them."""
    stylized, inputs = keys.stylized, [run.pass_input(index) for index in indices]
    made_from = [
        (pass_input.key, stylized[pass_input.key].digest, pass_input.sources, pass_input.flow_name)
        for pass_input in inputs
    ]
    entry = f"match/{fingerprint('differ', VERSION, run.clip_identity, made_from)}"
    stored = (run.store.get(entry) or {}).get("differences")
    if stored is None or stored.shape != (len(indices),):
        views = [_view(run, keys, pass_input) for pass_input in inputs]
        stored = np.array(style_differences(views), np.float32)
        run.store.put(entry, {"differences": stored})
    return [float(value) for value in stored]


def _view(run: RunContext, keys: KeyStyles, pass_input: PassInput) -> KeyView:
    """The frame is decoded for the passes of the key too, at their work size."""
    index, options = pass_input.key, pass_input.options
    frames = SharedFrames(
        run.clip, FrameReducer(run.size, options), run.store, pass_input.flow_name
    )
    style = keys.style(index, matched=False)
    return KeyView.of(frames.key(index).reduced.rgb, style, keys.source_mask(index))


def _listed(numbers: set[int]) -> str:
    ordered = sorted(numbers)
    if len(ordered) <= _MOST_LISTED:
        return ", ".join(map(str, ordered))
    first = ", ".join(map(str, ordered[: _MOST_LISTED - 1]))
    return f"{first}, … {ordered[-1]} ({len(ordered)} of them)"

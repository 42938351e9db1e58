"""Values that all steps share: frames, ranges, events, seeds, warping. No input or output here."""

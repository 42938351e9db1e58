"""Values that every step shares: frames, ranges, events, seeds, colour. No input or output here."""

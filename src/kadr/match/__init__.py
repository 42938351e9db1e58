"""Keys that differ in, keys that look like one hand out: colours matched, or one style for all."""

"""``python -m kadr``: the same as ``kadr``."""

from __future__ import annotations

import sys

from kadr.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())

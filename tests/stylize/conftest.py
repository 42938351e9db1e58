"""Makes the samples here and the made-up servers in ``servers`` importable from every test."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "servers"))

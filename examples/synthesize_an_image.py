"""Paint one photo as another was painted: synthesize_an_image.py STYLE SOURCE TARGET OUTPUT

STYLE is the painted version of the photo SOURCE; TARGET is the photo to paint.
"""

import sys
from pathlib import Path

import kadr

style, source, target = (kadr.read_image(Path(name))[..., :3] for name in sys.argv[1:4])
result = kadr.synthesize(
    style,
    [kadr.Guide(source, target, weight=4.0)],
    options=kadr.SynthOptions(uniformity=3500.0, extra_pass_3x3=True),
)
kadr.write_image(Path(sys.argv[4]), result.image)
print(f"mean patch error {result.error.mean():.0f}; pixel (0, 0) came from {result.nnf[0, 0]}")

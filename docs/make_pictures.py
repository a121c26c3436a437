"""Draw the pictures of the README: `python docs/make_pictures.py` writes them beside this file."""

from pathlib import Path

from minidil import viz

here = Path(__file__).parent
viz.save(viz.kernel_footprint(3, (1, 2, 4)), here / "dilation.png")

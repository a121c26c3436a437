"""What one output sees, to be played with: a model or a schedule of dilations in, a page of HTML, a picture and a table out."""

from minidil.analysis.explorer.explorer import Explorer, explore

__all__ = ["Explorer", "explore"]

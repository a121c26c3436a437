"""Video: clips come in, a class for each goes out, and the clip as one picture.

clips = data.clips("train")                        # (C, T, H, W) each; models.c3d, or models.inflate of a network of images
video.contact_sheet(pixels)                        # all frames of a clip side by side
clips.stilled(8), clips.shuffled()                 # the controls: what one frame tells, and what frames without their order tell
"""

from minidil.tasks.video.sheet import contact_sheet

__all__ = ["contact_sheet"]

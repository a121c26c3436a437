"""Segmentation: pictures come in, a class for every pixel goes out, and how well it fits the masks that people have drawn.

logits = model(images)                                     # (N, K, H, W), of models.unet or models.context
loss = segmentation.cross_entropy_and_dice(logits, masks)  # masks (N, H, W); iou and dice are metrics for train.fit
found = segmentation.Overlap.of(logits.argmax(axis=1), masks, K)
found.iou(), found.pooled_iou(), found.undefined
segmentation.components(mask)                              # which pixels hang together
segmentation.Matches.of(objects, numbered).ap50()          # how many objects are found
"""

from minidil.tasks.segmentation.components import components
from minidil.tasks.segmentation.instances import Matches
from minidil.tasks.segmentation.loss import cross_entropy_and_dice
from minidil.tasks.segmentation.metric import Overlap, dice, iou
from minidil.tasks.segmentation.otsu import otsu_mask, otsu_threshold
from minidil.tasks.segmentation.overlay import overlaid

__all__ = [
    "Matches",
    "Overlap",
    "components",
    "cross_entropy_and_dice",
    "dice",
    "iou",
    "otsu_mask",
    "otsu_threshold",
    "overlaid",
]

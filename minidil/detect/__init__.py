"""Finding objects: a picture comes in, boxes with scores go out, and average precision says how good they are.

`functional.roi_align` and `functional.focal_loss` are the differentiable parts; what is here works on boxes on the host.
"""

from minidil.data import Truth
from minidil.detect.anchor import anchors, match
from minidil.detect.boxes import box_iou, clip_boxes, decode, encode, nms
from minidil.detect.control import components_found
from minidil.detect.metric import AveragePrecision, Detections, average_precision, f1
from minidil.detect.network import FasterRCNN, faster_rcnn
from minidil.detect.picture import boxes_drawn
from minidil.detect.trident import TridentBlock

__all__ = [
    "AveragePrecision",
    "Detections",
    "FasterRCNN",
    "TridentBlock",
    "Truth",
    "anchors",
    "average_precision",
    "box_iou",
    "boxes_drawn",
    "clip_boxes",
    "components_found",
    "decode",
    "encode",
    "f1",
    "faster_rcnn",
    "match",
    "nms",
]

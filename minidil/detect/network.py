"""Faster R-CNN (Ren et al. 2015, arXiv:1506.01497) in small: where might something be, and what is it?

    picture -> backbone -> map ----------------------> RoIAlign -> head -> class and box
                            |                            ^
                            +-> is there something, -----+
                                around each anchor?  proposals

Small objects are lost on a coarse map. After two poolings, output stride 4, the backbone keeps its resolution and widens its
view by dilation, as DetNet does (Li et al. 2018, arXiv:1804.06215); or learns at several dilations at once, see `TridentBlock`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

import minidil.functional as F
from minidil.array import Array
from minidil.data import Truth
from minidil.detect.anchor import anchors
from minidil.detect.boxes import clip_boxes, decode, nms
from minidil.detect.loss import Draw, Drawn, StageLoss
from minidil.detect.metric import Detections, f1
from minidil.detect.trident import TridentBlock
from minidil.errors import OptionError, ShapeError
from minidil.graph import no_grad
from minidil.models import pretrained_weights
from minidil.nn import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, ResidualBlock, Sequential
from minidil.nn.checks import check_counts, check_rank
from minidil.nn.modes import evaluating
from minidil.ops.boxes import Boxes, as_boxes, has_area
from minidil.random import default_rng
from minidil.tensor import Tensor, as_tensor

STRIDE = 4  # of the map; its cells lie as `anchors` and `roi_align` think, since poolings of 2 by 2 move nothing
BINS = 5  # of a proposal along each axis
LOOKS = 2  # how often the second stage corrects a box, once it has learnt to; its chance is the mean
PROPOSALS = Draw(256, 0.5, high=0.7, low=0.3, keep_best=True, weights=(1, 1, 1, 1))
OBJECTS = Draw(128, 0.25, high=0.5, low=0.5, keep_best=False, weights=(10, 10, 5, 5))


class FasterRCNN(Module):
    """Two stages on one map. Called, it gives the map; `loss` is what to lower on it, and `found` reads what is in the pictures.

        outputs = model(x);      loss = model.loss(outputs, truth);      model.found(outputs), or model.detect(x)

    Shapes: x (N, C, H, W) -> (N, D + 6 A, H/4, W/4): the D features of every cell, and the first stage's guess for each of its A
        anchors: two logits, nothing and something, and the code of a box. H and W are 4 at least; what a multiple of 4 leaves
        over at the far border is seen, but has no cell of its own.
    branches: how many answers the backbone gives of every picture in training, those of the first branch first; `loss` then
        holds each against the truth of its picture. Otherwise there is one.
    """

    def __init__(
        self,
        backbone: Module,
        channels: int,
        num_classes: int,
        sizes: Sequence[float],
        ratios: Sequence[float],
        hidden: int,
        branches: int,
        rng: np.random.Generator | None,
    ) -> None:
        super().__init__()
        check_counts("FasterRCNN", num_classes=num_classes, hidden=hidden)
        self.branches = branches
        self.num_classes, self.channels = num_classes, channels
        self.sizes, self.ratios = tuple(sizes), tuple(ratios)
        self.backbone = backbone
        self.rpn = Sequential(
            Conv2d(channels, channels, 3, padding=1, rng=rng),
            ReLU(),
            Conv2d(channels, 6 * len(anchors(1, STRIDE, sizes, ratios)), 1, rng=rng),
        )
        self.head = Sequential(Flatten(), Linear(channels * BINS * BINS, hidden, rng=rng), ReLU())
        self.outputs = Linear(hidden, num_classes + 1 + 4, rng=rng)
        self.stage_loss = StageLoss()

    def forward(self, x: Tensor) -> Tensor:
        check_rank("FasterRCNN", x.shape, 2)
        height, width = x.shape[2:]
        if min(height, width) < STRIDE:
            raise ShapeError(
                f"FasterRCNN: x {x.shape} has {height}x{width} pixels, and a cell of the map stands for {STRIDE}x{STRIDE}"
            )
        features = self.backbone(x)
        return F.concatenate([features, self.rpn(features)], axis=1)

    def loss(self, outputs: Tensor, truth: Sequence[Truth], *, rng: np.random.Generator | None = None) -> Tensor:
        """The sum of both stages' losses, a scalar, from what the model gave for N pictures and what is in each.

        rng: which anchors and proposals are drawn. None: in training mode the process-wide generator; else always the same, so
            that a set has one loss.
        Raises: ShapeError unless there are N truths; OptionError for a label that is no class of the model, or a box that counts
            and has no area.
        """
        if rng is None:
            rng = default_rng() if self.training else np.random.default_rng(0)
        if self.training:
            truth = [*truth] * self.branches
        objects = self._objects(outputs, truth)
        features, guesses = self._parts(outputs)
        if not np.isfinite(guesses.numpy()).all():
            return F.mean(outputs)  # not finite either, which is what to say of a training that has diverged
        around = self._anchors(outputs)
        first = [PROPOSALS(around, replace(picture, labels=None), rng) for picture in truth]
        drawn = guesses[_index(first)]
        proposal_loss = self.stage_loss(drawn[:, :2], drawn[:, 2:], first)
        # The objects are candidates, too: before the first stage has learned anything, nothing else is near them.
        proposed = (found.boxes for found in self.proposals(outputs))
        boxes = [np.concatenate(pair) for pair in zip(proposed, objects, strict=True)]
        second = [OBJECTS(box, picture, rng) for box, picture in zip(boxes, truth, strict=True)]
        answers = self._answers(features, [box[picture.chosen] for box, picture in zip(boxes, second, strict=True)])
        return proposal_loss + self.stage_loss(answers[:, :-4], answers[:, -4:], second)

    def f1(self, outputs: Array, truth: Sequence[Truth]) -> NDArray[np.float64]:
        """A metric for `train.fit`: `detect.f1` of each picture that has one. None at all in training mode, as the second stage
        is asked about many more boxes here than it learns from."""
        if self.training:
            return np.zeros(0)
        figures = f1(self.found(as_tensor(outputs)), truth)
        return figures[~np.isnan(figures)]

    def detect(
        self, x: Tensor | Array, *, score: float = 0.05, overlap: float = 0.6, max_detections: int = 200
    ) -> list[Detections]:
        """What is in pictures x (N, C, H, W), in evaluation mode: boxes, scores in 0..1 and labels, by falling score.

        score: the least that counts. overlap: the IoU beyond which two of a class are one. max_detections: of a picture.
        """
        x = as_tensor(x)
        with no_grad(), evaluating(self):
            return self.found(self(x), x.shape[2:], score=score, overlap=overlap, max_detections=max_detections)

    def found(
        self,
        outputs: Tensor,
        size: Sequence[int] | None = None,
        *,
        score: float = 0.05,
        overlap: float = 0.6,
        max_detections: int = 200,
    ) -> list[Detections]:
        """As `detect`, of what the model gave. size: (H, W) of the pictures; None: four times that of the map."""
        size, found = self._size(outputs, size), []
        boxes = [each.boxes for each in self.proposals(outputs, size, after=300, overlap=0.8)]
        ends = np.cumsum([len(box) for box in boxes])
        chances = np.zeros((sum(map(len, boxes)), self.num_classes))
        for _ in range(LOOKS):
            with no_grad():
                answers = self._answers(self._parts(outputs)[0], boxes)
                chances += F.softmax(answers[:, :-4], axis=1).numpy()[:, 1:] / LOOKS
            codes = np.split(answers.numpy()[:, -4:], ends)[:-1]
            placed = [
                clip_boxes(decode(code, box, OBJECTS.weights), size) for code, box in zip(codes, boxes, strict=True)
            ]
            boxes = [np.where(has_area(new)[:, np.newaxis], new, old) for new, old in zip(placed, boxes, strict=True)]
        for box, chance in zip(boxes, np.split(chances, ends)[:-1], strict=True):
            place, label = np.nonzero(chance >= score)
            kept = nms(box[place], chance[place, label], overlap, label)[:max_detections]
            found.append(Detections(box[place[kept]], chance[place, label][kept], label[kept]))
        return found

    def proposals(
        self,
        outputs: Tensor,
        size: Sequence[int] | None = None,
        *,
        before: int = 1000,
        after: int = 200,
        overlap: float = 0.7,
    ) -> list[Detections]:
        """Where the first stage thinks that something is: the `after` best of the `before` best that do not mean the same.

        Scores are logits, something's above nothing's; all labels are 0. size, overlap: as `found` has them.
        """
        size, around, found = self._size(outputs, size), self._anchors(outputs), []
        for picture in self._parts(outputs)[1].numpy():
            sure = picture[:, 1] - picture[:, 0]
            best = np.argsort(-sure, kind="stable")[:before]
            boxes = clip_boxes(decode(picture[best, 2:], around[best], PROPOSALS.weights), size)
            large = has_area(boxes)
            boxes, sure = boxes[large], sure[best][large]
            kept = nms(boxes, sure, overlap)[:after]
            found.append(Detections(boxes[kept], sure[kept]))
        return found

    def _size(self, outputs: Tensor, size: Sequence[int] | None) -> tuple[int, ...]:
        return tuple(size) if size else tuple(STRIDE * length for length in outputs.shape[2:])

    def _anchors(self, outputs: Tensor) -> NDArray[np.float64]:
        return anchors(outputs.shape[2:], STRIDE, self.sizes, self.ratios)

    def _parts(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """The features (N, D, H, W), and the guesses (N, M, 6) in the order of the M anchors."""
        n, channels, height, width = outputs.shape
        count = (channels - self.channels) // 6
        guesses = outputs[:, self.channels :].reshape(n, count, 6, height, width).transpose(0, 3, 4, 1, 2)
        return outputs[:, : self.channels], guesses.reshape(n, height * width * count, 6)

    def _answers(self, features: Tensor, boxes: list[Boxes]) -> Tensor:
        """(R, K + 1 + 4): for each box the logits of background and the classes, and its code."""
        cut = F.roi_align(features, boxes=boxes, output_size=BINS, spatial_scale=1 / STRIDE)
        return self.outputs(self.head(cut))

    def _objects(self, outputs: Tensor, truth: Sequence[Truth]) -> list[Boxes]:
        if len(truth) != outputs.shape[0]:
            raise ShapeError(
                f"FasterRCNN.loss: outputs {outputs.shape} are of {outputs.shape[0]} pictures, and the truth of {len(truth)}"
            )
        objects = []
        for number, picture in enumerate(truth):
            if len(picture.labels) and not 0 <= picture.labels.min() <= picture.labels.max() < self.num_classes:
                raise OptionError(
                    f"FasterRCNN.loss: truth[{number}] has labels {picture.labels.min()}..{picture.labels.max()}, but the "
                    f"model knows 0..{self.num_classes - 1}"
                )
            counted = picture.boxes[~(picture.crowd | picture.ignore)]
            objects.append(as_boxes("FasterRCNN.loss", counted, f"truth[{number}].boxes", with_area=True))
        return objects


def faster_rcnn(
    num_classes: int = 1,
    *,
    in_channels: int = 1,
    widths: Sequence[int] = (16, 32, 64),
    dilations: Sequence[int] = (2, 4),
    trident: Sequence[int] = (),
    sizes: Sequence[float] = (6, 10, 16, 26),
    ratios: Sequence[float] = (1.0,),
    hidden: int = 128,
    pretrained: str | None = None,
    rng: np.random.Generator | None = None,
) -> FasterRCNN:
    """A detector of small objects, by default of one class in grey pictures; 415,566 parameters.

    widths: of the three convolutions, between which the map is halved twice. dilations: of the residual blocks behind them.
    trident: of the branches of a `TridentBlock` behind these, if there is to be one; (2,) and then (2, 4, 6) finds by the same
        network as (2, 4).
    sizes, ratios: of the anchors, in pixels. hidden: the width of the head.
    pretrained: start with the weights for this data set, "nuclei", which come with minidil and take in_channels=3.
    Raises: OptionError unless there are three widths, and all numbers are positive.
    """
    if len(widths) != 3:
        raise OptionError(
            f"faster_rcnn: there are three convolutions, and widths has {len(widths)} numbers: {tuple(widths)}"
        )

    def convolution(before: int, after: int) -> list[Module]:
        return [Conv2d(before, after, 3, padding=1, bias=False, rng=rng), BatchNorm2d(after), ReLU()]

    fine, middle, coarse = widths
    backbone = Sequential(
        *convolution(in_channels, fine),
        MaxPool2d(2),
        *convolution(fine, middle),
        MaxPool2d(2),
        *convolution(middle, coarse),
        *(ResidualBlock(coarse, coarse, dilation=dilation, rng=rng) for dilation in dilations),
        *([TridentBlock(coarse, trident, rng=rng)] if trident else []),
    )
    model = FasterRCNN(backbone, coarse, num_classes, sizes, ratios, hidden, max(1, len(trident)), rng)
    if pretrained is None:
        return model
    return pretrained_weights("faster_rcnn", pretrained).load_into(model, num_classes, in_channels)


def _index(drawn: list[Drawn]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Picture and place of all that was drawn."""
    pictures = np.repeat(np.arange(len(drawn)), [len(picture.chosen) for picture in drawn])
    return pictures, np.concatenate([picture.chosen for picture in drawn])

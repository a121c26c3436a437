"""Entities: sentences come in, the names in them go out, with their types, and how well they are found.

features = entities.Features.of(train)                     # data.wnut17("train"), or data.conll("mine.conll")
model = models.TAGGERS["idcnn"](len(features.classes), features.sizes)
loss, f1 = entities.TaggingLoss(model), entities.EntityF1(model, features.classes)
loader = text.BucketLoader(features.items(train), 32, shuffle=True)
history = train.fit(model, loader, val, optimizer, loss=loss, metrics={"f1": f1}, best="max f1")
tags = entities.tagged(model, features, [["Ada", "in", "London"]])
entities.Scores.of(tags, true).types["person"].f1
entities.Dictionary(train).tag(["Ada", "in", "London"])    # the control
"""

from minidil.tasks.entities.dictionary import Dictionary
from minidil.tasks.entities.features import Features
from minidil.tasks.entities.goal import EntityF1, TaggingLoss
from minidil.tasks.entities.metric import Score, Scores
from minidil.tasks.entities.predict import marked, tagged
from minidil.tasks.entities.spans import Span, spans

__all__ = [
    "Dictionary",
    "EntityF1",
    "Features",
    "Score",
    "Scores",
    "Span",
    "TaggingLoss",
    "marked",
    "spans",
    "tagged",
]

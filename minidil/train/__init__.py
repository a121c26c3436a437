"""Training: the loop, what it remembers, and the folder that it leaves behind.

`learn` in step.py is the five lines of it; read them first. `fit` in loop.py opens a run around them, session.py does what
has to be done beside them, and state.py lists all that a checkpoint must hold for a run to go on bit for bit.
"""

from minidil.train.average import WeightAverage
from minidil.train.callbacks import Callback
from minidil.train.folder import RunFolder
from minidil.train.freeze import FreezeAfter, freeze, unfreeze
from minidil.train.goal import Loss, Metric
from minidil.train.gradual import GradualUnfreezing
from minidil.train.history import COLUMNS, History, Row
from minidil.train.layers import Layer, layer_groups, layers
from minidil.train.loop import fit
from minidil.train.metrics import Loader, Metrics, evaluate
from minidil.train.state import Optimizer, Run, Schedule
from minidil.train.step import learn
from minidil.train.views import LEVELS, AveragedViews

__all__ = [
    "COLUMNS",
    "LEVELS",
    "AveragedViews",
    "Callback",
    "FreezeAfter",
    "GradualUnfreezing",
    "History",
    "Layer",
    "Loader",
    "Loss",
    "Metric",
    "Metrics",
    "Optimizer",
    "Row",
    "Run",
    "RunFolder",
    "Schedule",
    "WeightAverage",
    "evaluate",
    "fit",
    "freeze",
    "layer_groups",
    "layers",
    "learn",
    "unfreeze",
]

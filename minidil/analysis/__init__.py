"""What a network sees, what it costs, and how to plan and convert it: models and schedules of dilations in, tables out.

Layers and shapes are all it knows: nothing here trains, and no model is changed.
"""

from minidil.analysis.cost import Cost, Costs, cost
from minidil.analysis.effective import EffectiveField, effective_field
from minidil.analysis.explorer import Explorer, explore
from minidil.analysis.gridding import Gridding, gridding, impulse_response
from minidil.analysis.linter import Verdict, lint
from minidil.analysis.planner import Plan, plan
from minidil.analysis.receptive import AxisField, LayerField, ReceptiveField, assert_receptive_field, receptive_field
from minidil.analysis.schedule import AxisCoverage, Coverage, coverage, has_holes, hdc_accepts, hdc_distance, holes
from minidil.analysis.surgery import Dilated, dilate

__all__ = [
    "AxisCoverage",
    "AxisField",
    "Cost",
    "Costs",
    "Coverage",
    "Dilated",
    "EffectiveField",
    "Explorer",
    "Gridding",
    "LayerField",
    "Plan",
    "ReceptiveField",
    "Verdict",
    "assert_receptive_field",
    "cost",
    "coverage",
    "dilate",
    "effective_field",
    "explore",
    "gridding",
    "has_holes",
    "hdc_accepts",
    "hdc_distance",
    "holes",
    "impulse_response",
    "lint",
    "plan",
    "receptive_field",
]

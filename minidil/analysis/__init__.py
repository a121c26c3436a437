"""What a network sees, what it costs, and how to plan and convert it: models and schedules of dilations in, tables out.

Layers and shapes are all it knows: nothing here trains, and no model is changed.
"""

from minidil.analysis.effective import EffectiveField, effective_field
from minidil.analysis.receptive import AxisField, LayerField, ReceptiveField, assert_receptive_field, receptive_field

__all__ = [
    "AxisField",
    "EffectiveField",
    "LayerField",
    "ReceptiveField",
    "assert_receptive_field",
    "effective_field",
    "receptive_field",
]

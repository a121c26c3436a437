"""Networks with less in them. A model comes in; what goes out is one with fewer channels, or
the callback that keeps weights zero."""

from minidil.deploy.prune.channels import BY, SCOPES, Pruned, prune_channels
from minidil.deploy.prune.magnitude import Masks, magnitude
from minidil.deploy.prune.penalty import batch_norm_penalty
from minidil.deploy.prune.widths import load_pruned, save_pruned

__all__ = [
    "BY",
    "SCOPES",
    "Masks",
    "Pruned",
    "batch_norm_penalty",
    "load_pruned",
    "magnitude",
    "prune_channels",
    "save_pruned",
]

"""Networks with less in them. A model comes in; what goes out is one with fewer channels, or the callback that keeps weights zero."""

from minidil.deploy.prune.channels import Pruned, prune_channels
from minidil.deploy.prune.magnitude import Masks, magnitude
from minidil.deploy.prune.penalty import batch_norm_penalty

__all__ = ["Masks", "Pruned", "batch_norm_penalty", "magnitude", "prune_channels"]

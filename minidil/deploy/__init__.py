"""Trained models at work: a model comes in, what answers sample by sample, or at every position, goes out."""

from minidil.deploy.dense import Dense, dense, shifted
from minidil.deploy.stream import Stream, stream

__all__ = ["Dense", "Stream", "dense", "shifted", "stream"]

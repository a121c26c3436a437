"""Trained models at work: a model comes in, what answers faster, or position by position, goes out."""

from minidil.deploy.stream import Stream, stream

__all__ = ["Stream", "stream"]

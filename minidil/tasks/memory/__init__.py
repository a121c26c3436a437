"""Memory: sequences come in, what is still known of them at the end goes out; data.copy_memory and data.adding draw them."""

from minidil.tasks.memory.metric import right

__all__ = ["right"]

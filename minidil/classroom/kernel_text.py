"""Kernels as text: the right ones, and those with a mistake in them, which are made by replacing a piece.

They are text so that numba.cuda is imported only when one of them is launched.
"""

import linecache
import zlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

from minidil.errors import CallError


class Text:
    """A kernel that is given as text; the emulator launches it like one that `@cuda.jit` has made."""

    def __init__(self, text: str) -> None:
        self.text = text.lstrip("\n")
        self.__name__ = self.text.partition("(")[0].removeprefix("def ")

    def instead(self, old: str, new: str) -> "Text":
        """The kernel with a piece replaced. Raises: CallError if it does not stand in it exactly once."""
        if self.text.count(old) != 1:
            raise CallError(f"{self.__name__}: {old!r} stands in it {self.text.count(old)} times, and must once")
        return Text(self.text.replace(old, new))

    def body(self, lines: str) -> "Text":
        """A kernel with the same head and another body."""
        return Text(self.text.partition("\n")[0] + "\n" + lines.lstrip("\n"))

    @cached_property
    def py_func(self) -> Callable[..., None]:
        """The Python function, with its lines known to tracebacks and to the compiler."""
        from numba import cuda, float32, int32

        # The name is the same in every process, since the cache of compiled kernels asks for it.
        file = f"<{self.__name__} {zlib.crc32(self.text.encode()):08x}>"
        linecache.cache[file] = (len(self.text), None, self.text.splitlines(keepends=True), file)
        names: dict[str, Any] = {"cuda": cuda, "float32": float32, "int32": int32}
        exec(compile(self.text, file, "exec"), names)
        made: Callable[..., None] = names[self.__name__]
        return made

    def __call__(self, *arguments: Any) -> None:
        """Raises: CallError."""
        raise CallError(f"{self.__name__} is a kernel: it is launched on a grid, and not called")

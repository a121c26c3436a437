"""Exercises to the chapters: a student's function comes in, and what is wrong with it, or what was checked, goes out.

`minidil.check("ex03_2", my_im2col)` is all that a student needs; pytest and graders call the same and add `.must_pass()`.
"""

from minidil.classroom.checking import check
from minidil.classroom.exercise import Exercise, Mistake
from minidil.classroom.result import Result

__all__ = ["Exercise", "Mistake", "Result", "check"]

"""Grading a class: in come students' notebooks as they are, out go marks, a page of feedback for each, and a table.

`grade` is all that a teacher calls. One process a submission (`worker`) reads the notebook (`reading`), runs its cells in a
kernel behind a fence (`session`, `kernel`, `fence`, `watchdog`), and judges the values that its functions return over a socket
(`marking`, `judging`, `peer`, `codec`, `inside`). `library` and `copies` say what a teacher should look at.
chapters/GRADING.md says what is promised.
"""

"""Kernels that courses teach: the right ones pass on every size that is tried, and what students get wrong in them is named."""

import numpy as np
import pytest
from teaching_kernels import LESSONS

from minidil.emulator import emulate

pytestmark = pytest.mark.slow
MISTAKES = [(name, mistake) for name, lesson in LESSONS.items() for mistake in lesson.mistakes]


@pytest.mark.parametrize("name", LESSONS)
def test_the_right_kernel_passes(name):
    lesson = LESSONS[name]
    kernel = lesson.kernel()
    for size in lesson.sizes:
        with emulate() as report:
            found, expected = lesson.work(kernel, size)
        assert report.findings == []
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "mistake"), MISTAKES)
def test_a_mistake_is_named(name, mistake):
    lesson = LESSONS[name]
    with emulate(keep_going=True) as report:
        lesson.work(lesson.kernel(mistake), lesson.sizes[-1])
    kinds = {finding.kind for finding in report.findings}
    assert kinds & lesson.mistakes[mistake][2], kinds
    assert all(finding.file.startswith("<lesson") and finding.line > 1 for finding in report.findings)


def test_there_are_three_mistakes_in_each():
    assert all(len(lesson.mistakes) == 3 for lesson in LESSONS.values())

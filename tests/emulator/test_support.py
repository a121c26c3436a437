"""What the README says is supported runs, and gives the right result."""

import re
from pathlib import Path

import numpy as np
import pytest
from support_cases import CASES

import minidil.emulator
from minidil.emulator import emulate
from minidil.emulator.explain import EXPLANATIONS

README = (Path(minidil.emulator.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_the_readme_lists_what_is_tested_and_nothing_else():
    table = README.partition("| works |\n| --- |\n")[2].partition("\n\n")[0]
    assert re.findall(r"^\| (.*) \|$", table, re.M) == list(CASES)


def test_every_kind_of_finding_is_explained_in_the_readme_and_by_the_command():
    table = README.partition("| kind | what it means |\n| --- | --- |\n")[2].partition("\n\n")[0]
    kinds = [row.removesuffix(" (warning)") for row in re.findall(r"^\| ([^|]*) \|", table, re.M)]
    assert sorted(kinds) == sorted(EXPLANATIONS)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_what_is_supported(name):
    kernel, size, inputs, expected = CASES[name]
    found = np.zeros_like(expected)
    with emulate() as report:
        kernel[size](*inputs, found)
    assert report.findings == []
    if found.dtype.kind in "fc":
        np.testing.assert_allclose(found, expected, rtol=1e-6 if found.dtype == np.float32 else 1e-14, atol=1e-15)
    else:
        np.testing.assert_array_equal(found, expected)

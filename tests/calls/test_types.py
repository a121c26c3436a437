"""What mypy and editors see of a tensor's methods: their true signatures, from minidil/calls/methods.pyi."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

ROOT = Path(__file__).parents[2]

RIGHT = """
import minidil as md
import minidil.functional as F

x = md.ones(2, 3)
sums: md.Tensor = x.sum(axis=1, keepdims=True) + x.reshape(-1).mean() * 2 - x.var(ddof=0)
values, indices = x.max(1)
largest: md.Tensor = x.max(axis=(0, 1)) + values.softmax() + F.max(x, dim=0).values
mask: md.Tensor = (x > 0) & (x == 1)
rows: int = x.size + x.size(0) + x.shape[0]
"""
WRONG = {
    "x.sum(axsi=1)": 'Unexpected keyword argument "axsi" for "sum" of "Methods"',
    "x.mean(axis='rows')": 'Argument "axis" to "mean" of "Methods" has incompatible type "str"',
    "x.sum(axis=1).nosuch.name()": "",  # a name that is looked up when it is met, as PyTorch's are
    "x.clip(low='0')": 'Argument "low" to "clip" of "Methods" has incompatible type "str"',
    "x.matmul()": 'Missing positional argument "b" in call to "matmul" of "Methods"',
    "x + 'one'": 'Unsupported operand types for + ("Tensor" and "str")',
    "F.softmax(x, axsi=1)": 'Unexpected keyword argument "axsi" for "softmax"',
    "x.reshape(2, 3, sahpe=1)": 'Unexpected keyword argument "sahpe" for "reshape" of "Tensor"',
}


@pytest.mark.slow
def test_wrong_calls_are_found_and_right_ones_pass(tmp_path: Path) -> None:
    lines = [RIGHT, *WRONG]
    first = RIGHT.count("\n") + 2
    script = tmp_path / "calls.py"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary"]
    done = subprocess.run(
        [*command, "--cache-dir", str(tmp_path / "cache"), str(script)], cwd=ROOT, capture_output=True, text=True
    )
    found = [
        line.split("calls.py:", 1)[1]
        for line in done.stdout.splitlines()
        if "calls.py:" in line and ": error: " in line
    ]
    expected = {first + i: said for i, said in enumerate(WRONG.values()) if said}
    assert {int(line.split(":")[0]) for line in found} == set(expected), done.stdout
    for line in found:
        assert expected[int(line.split(":")[0])] in line

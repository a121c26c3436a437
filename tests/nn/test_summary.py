"""The table of a model: every number of a small net worked out by hand."""

import numpy as np
import pytest

import minidil.functional as F
from minidil import nn
from minidil.errors import OptionError, ShapeError
from minidil.tensor import Tensor


def small() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=2, dilation=2),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, (3, 1), stride=(1, 2), groups=2, bias=False),
        nn.Flatten(),
        nn.Linear(6 * 2 * 2, 5),
    )


def test_every_number_by_hand() -> None:
    rows = small().summary((3, 8, 8)).rows
    assert [(row.name, row.kind) for row in rows] == [
        ("0", "Conv2d"),
        ("1", "BatchNorm2d"),
        ("2", "ReLU"),
        ("3", "MaxPool2d"),
        ("4", "Conv2d"),
        ("5", "Flatten"),
        ("6", "Linear"),
    ]
    assert [row.output_shape for row in rows] == [
        (1, 4, 8, 8),
        (1, 4, 8, 8),
        (1, 4, 8, 8),
        (1, 4, 4, 4),
        (1, 6, 2, 2),
        (1, 24),
        (1, 5),
    ]
    assert [row.parameters for row in rows] == [4 * 3 * 9 + 4, 8, 0, 0, 6 * 2 * 3, 0, 24 * 5 + 5]
    assert [row.multiply_adds for row in rows] == [4 * 64 * 27, 0, 0, 0, 6 * 4 * 2 * 3, 0, 24 * 5]
    # rows: 5, +1 by pooling with jump 2, +2*2 by the 3 high kernel, +1*2 by joining 2 of them
    # columns: 5, +1, +0 with jump 4, +1*4
    assert [str(row.field) for row in rows] == ["5", "5", "5", "6", "10x6", "12x10", "12x10"]


def test_totals() -> None:
    model = small()
    model[0].freeze()
    summary = model.summary((3, 8, 8), batch_size=10)
    assert summary.parameters == 112 + 8 + 36 + 125 == sum(p.size for p in model.parameters())
    assert summary.trainable == 8 + 36 + 125
    assert summary.multiply_adds == 10 * (6912 + 144 + 120)
    assert summary.input_shape == (10, 3, 8, 8)
    assert str(summary.field) == "12x10"


def test_dilation_costs_nothing() -> None:
    costs = {nn.Conv2d(3, 4, 3, padding=d, dilation=d).summary((3, 9, 9)).multiply_adds for d in (1, 2, 3)}
    assert costs == {4 * 81 * 27}


def test_the_table_as_text() -> None:
    model = nn.Sequential(nn.Conv1d(2, 1024, 3, dilation=2), nn.ReLU())
    assert str(model.summary((2, 9))) == (
        "layer  kind        output shape  parameters  multiply-adds  receptive field\n"
        "---------------------------------------------------------------------------\n"
        "0      Conv1d      (1, 1024, 5)       7,168         30,720                5\n"
        "1      ReLU        (1, 1024, 5)           0              0                5\n"
        "---------------------------------------------------------------------------\n"
        "total  Sequential                     7,168         30,720\n"
        "input (1, 2, 9): 7,168 parameters, 30,720 multiply-adds"
    )
    model[0].freeze()
    assert str(model.summary((2, 9))).endswith("7,168 parameters, 7,168 of them frozen, 30,720 multiply-adds")


def test_stacked_dilations() -> None:
    model = nn.Sequential(*(nn.Conv1d(1, 1, 3, padding="same", dilation=d) for d in (1, 2, 4)))
    assert [str(row.field) for row in model.summary((1, 16)).rows] == ["3", "7", "15"]


def test_where_paths_join_the_widest_counts() -> None:
    wide = nn.Sequential(nn.Conv1d(1, 1, 3, padding="same", dilation=3), nn.Conv1d(1, 1, 3, padding="same"))
    model = nn.Sequential(nn.Residual(wide, nn.Conv1d(1, 1, 5, padding="same")), nn.Conv1d(1, 1, 1))
    assert [str(row.field) for row in model.summary((1, 16)).rows] == ["7", "9", "5", "9"]
    block = nn.Sequential(nn.ResidualBlock(1, 2, stride=2, dilation=2), nn.MaxPool2d(2))
    # 1 + 2*2 = 5 with jump 2, then 5 + 2*2*2 = 13, then 13 + 2
    assert str(block.summary((1, 16, 16)).field) == "15"


def test_concatenated_branches_and_functions_between_layers() -> None:
    class Pyramid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branches = nn.ModuleList(nn.Conv1d(1, 1, 3, padding="same", dilation=d) for d in (4, 1))
            self.head = nn.Conv1d(2, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.concatenate([F.relu(branch(x)) for branch in self.branches], axis=1))

    rows = Pyramid().summary((1, 16)).rows
    assert [(row.name, str(row.field)) for row in rows] == [("branches.0", "9"), ("branches.1", "3"), ("head", "9")]


def test_transposed_and_adaptive_layers() -> None:
    model = nn.Sequential(nn.Conv1d(1, 2, 3, stride=2), nn.ConvTranspose1d(2, 4, 4, stride=2), nn.AdaptiveAvgPool1d(2))
    rows = model.summary((1, 9)).rows
    assert [row.output_shape for row in rows] == [(1, 2, 4), (1, 4, 10), (1, 4, 2)]
    assert [row.multiply_adds for row in rows] == [2 * 4 * 3, 8 * 4 * 4, 0]
    assert [str(row.field) for row in rows] == ["3", "5", "9"]


def test_a_shared_layer_has_a_row_per_call_and_counts_once() -> None:
    layer = nn.Linear(3, 3)
    summary = nn.Sequential(layer, nn.ReLU(), layer).summary((3,))
    assert [(row.name, row.parameters, row.multiply_adds) for row in summary.rows] == [
        ("0", 12, 9),
        ("1", 0, 0),
        ("0", 0, 9),
    ]
    assert summary.parameters == 12
    assert summary.multiply_adds == 18
    assert summary.field is None
    assert " -\n" in str(summary)


def test_own_parameters_of_a_composite_and_unused_layers() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(np.ones(3, np.float32))
            self.inner = nn.Linear(3, 3)
            self.unused = nn.Linear(3, 7)

        def forward(self, x: Tensor) -> Tensor:
            return F.multiply(self.inner(x), self.scale)

    summary = Scaled().summary((3,))
    assert [(row.name, row.parameters) for row in summary.rows] == [("inner", 12), ("", 3)]
    assert summary.parameters == 3 + 12 + 28
    assert "(model)" in str(summary)


def test_rearranged_axes_leave_the_field_unknown() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(2), nn.Conv1d(2, 1, 3), nn.ReLU())
    assert [str(row.field) for row in model.summary((1, 6, 6)).rows] == ["3", "6", "None", "None"]


def test_it_changes_nothing() -> None:
    model = small()
    model[1].eval()
    before = {name: value.tobytes() for name, value in model.state_dict().items()}
    model.summary((3, 8, 8))
    assert [module.training for module in model] == [True, False, True, True, True, True, True]
    assert {name: value.tobytes() for name, value in model.state_dict().items()} == before
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(ShapeError):
        model.summary((4, 8, 8))
    assert model.training


def test_it_follows_the_number_type_of_the_model() -> None:
    assert small().astype(np.float64).summary((3, 8, 8)).multiply_adds == 7176


@pytest.mark.parametrize(("shape", "batch"), [((3, 0, 8), 1), ((3, 8.0, 8), 1), ((3, 8, 8), 0)])
def test_bad_shapes(shape: tuple[int, ...], batch: int) -> None:
    with pytest.raises(OptionError, match=r"summary: input_shape is \(C, \*S\)"):
        small().summary(shape, batch)

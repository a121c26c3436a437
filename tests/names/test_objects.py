"""What modules, optimizers and minidil.data say of PyTorch's names that they do not have."""

import numpy as np
import pytest

import minidil as md
from minidil.errors import CallError, NoSuchNameError, OptionError

LAYER = md.nn.Linear(2, 1)
ITEMS = [(np.ones(2, np.float32), 0)] * 4


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: LAYER.to("cpu"), "Linear has no 'to'; parameters move to where minidil.use"),
        (lambda: LAYER.cuda(), r"Linear has no 'cuda'; minidil.use\('cuda'\) computes on a GPU"),
        (lambda: LAYER.reset_parameters(), "Linear has no 'reset_parameters'; build the layer anew"),
        (
            lambda: md.nn.BatchNorm1d(2).reset_running_stats(),
            "BatchNorm1d has no 'reset_running_stats'; build the layer",
        ),
        (lambda: LAYER.double(), r"Linear has no 'double'; write model.astype\('float64'\)"),
        (lambda: md.optim.SGD([LAYER.weight], 0.1).add_param_group({}), "SGD has no 'add_param_group'; build the"),
        (lambda: md.data.random_split, "data has no 'random_split'; use minidil.data.split"),
        (lambda: md.data.Subset, "data has no 'Subset'; index a Dataset"),
    ],
)
def test_a_name_is_answered(ask, said: str) -> None:
    with pytest.raises(NoSuchNameError, match=said):
        ask()


def test_other_names_are_pythons_errors() -> None:
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'nosuch'") as caught:
        LAYER.nosuch  # noqa: B018
    assert not isinstance(caught.value, NoSuchNameError)
    assert not hasattr(LAYER, "cuda")


def test_a_loader_takes_pytorchs_words_that_change_nothing() -> None:
    assert len(md.data.DataLoader(ITEMS, batch_size=2, num_workers=0, pin_memory=False)) == 2
    with pytest.raises(
        CallError, match="DataLoader: there is no argument 'num_workers': batches are prepared ahead by one"
    ):
        md.data.DataLoader(ITEMS, batch_size=2, num_workers=4)
    with pytest.raises(CallError, match="DataLoader: missing a required argument: 'batch_size'"):
        md.data.DataLoader(ITEMS)


def test_a_data_set_of_ones_own_needs_no_base_class() -> None:
    with pytest.raises(
        OptionError, match="Mine: Dataset holds images and is not derived from; a DataLoader takes anything"
    ):

        class Mine(md.data.Dataset):
            def __getitem__(self, index):
                return ITEMS[index]

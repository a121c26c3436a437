"""PyTorch's names: each works here, says what to write instead, or stands on the list of what is left out, with its reason."""

import json
from pathlib import Path

import numpy as np
import pytest

import minidil as md
from minidil import functional as F
from minidil.errors import NoSuchNameError
from minidil.names import lookup, words

# The public names of PyTorch 2.13.0 without those of its C++ side, one line a module.
NAMES = {
    room: line.split() for room, line in json.loads(Path(__file__).with_name("pytorch_names.json").read_text()).items()
}
ROOMS = {
    "functional": F,
    "nn": md.nn,
    "nn.init": md.nn.init,
    "nn.utils": md.nn.utils,
    "optim": md.optim,
    "optim.lr_scheduler": md.optim.lr_scheduler,
    "minidil": md,
    "Tensor": md.tensor([1.0, 2.0]),
}


@pytest.mark.parametrize("room", NAMES)
def test_every_name_works_or_is_answered(room: str) -> None:
    silent = []
    for name in NAMES[room]:
        try:
            getattr(ROOMS[room], name)
        except NoSuchNameError as error:
            if "; " not in str(error):
                silent.append(name)
    assert silent == []


def test_aliases_are_our_functions() -> None:
    assert F.conv1d is F.conv2d is F.conv3d is F.conv
    assert F.cat is F.concatenate
    assert md.manual_seed is md.seed
    assert md.from_numpy is md.tensor
    assert md.relu is F.relu
    assert md.cat is F.concatenate
    assert md.optim.clip_grad_norm_ is md.optim.clip_grad_norm
    t = md.tensor([[1.0, -2.0]])
    assert t.view(2, 1).shape == t.permute(1, 0).shape == (2, 1)
    assert t.abs().tolist() == [[1, 2]]
    assert (t.double().dtype, t.long().dtype, t.bool().dtype) == (np.float64, np.int64, np.bool_)


@pytest.mark.parametrize("room", words.WORDS)
def test_every_alias_leads_somewhere(room: str) -> None:
    for theirs in words.WORDS[room]:
        getattr(ROOMS[room], theirs)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: F.smooth_l1_loss, "functional has no 'smooth_l1_loss'; use huber_loss"),
        (lambda: F.sotfmax, r"functional has no 'sotfmax' \(did you mean 'softmax'\?\)"),
        (lambda: F.elu, "functional has no 'elu'; minidil leaves it out: few networks use this activation"),
        (lambda: md.float32, "minidil has no 'float32'; number types are NumPy's: np.float32"),
        (lambda: md.load, r"use minidil.checkpoint.load\(path\)"),
        (lambda: md.LongTensor, r"minidil has no 'LongTensor'; write minidil.tensor\(data, dtype=np.int64\)"),
        (lambda: md.backends, "minidil has no 'backends'; there is nothing to tune there: minidil.use"),
        (lambda: md.hub, "minidil has no 'hub'; minidil.models has networks"),
        (lambda: md.ones(2).requires_grad_, "Tensor has no 'requires_grad_'; set it: x.requires_grad = True"),
        (lambda: md.ones(2).zero_, "Tensor has no 'zero_'; to forget a gradient, write x.grad = None"),
        (lambda: md.ones(2).detach_, r"Tensor has no 'detach_'; write x = x.detach\(\)"),
        (lambda: md.nn.LSTMCell, "nn has no 'LSTMCell'; use LSTM; one step is a sequence of length 1"),
        (lambda: md.nn.utils.rnn, "nn.utils has no 'rnn'; ragged sequences are padded, and layers get mask="),
        (lambda: md.nn.init.kaiming_normal_, r"layer.weight.data = nn.init.he_normal\(layer.weight.shape\)"),
        (lambda: md.optim.lr_scheduler.StepLR, r"minidil.schedule: Step\(optimizer, steps, gamma\)"),
        (lambda: md.tensor([1.0]).device, "there is no device to name"),
        (lambda: md.tensor([1.0]).add_, "nothing writes into a tensor here"),
        (lambda: md.tensor([1.0]).rehsape, r"Tensor has no 'rehsape' \(did you mean 'reshape'\?\)"),
    ],
)  # fmt: skip
def test_what_is_said(ask, said: str) -> None:
    with pytest.raises(NoSuchNameError, match=said):
        ask()


def test_an_unknown_name_is_an_attribute_error_as_pythons_own() -> None:
    assert not hasattr(F, "nosuch")
    assert not hasattr(md.tensor(1.0), "nosuch")
    with pytest.raises(ImportError, match="functional has no 'nosuch'"):
        exec("from minidil.functional import nosuch")
    with pytest.raises(AttributeError, match="nosuch"):
        exec("import minidil.data.transforms; minidil.data.transforms.nosuch")


def test_no_hint_is_given_for_a_name_that_exists() -> None:
    for room in ("functional", "nn", "optim", "nn.init"):
        there = [name for name in lookup.HINTS[room] if name in vars(ROOMS[room])]
        assert there == [], room
    assert [name for name in lookup.HINTS["Tensor"] if name in vars(md.Tensor)] == []

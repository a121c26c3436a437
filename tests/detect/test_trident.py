"""Branches that share their weights: what each sees, what all of them teach, and which one answers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
from minidil.detect import TridentBlock, Truth, faster_rcnn
from minidil.errors import OptionError
from minidil.nn import ResidualBlock
from minidil.testing import check_gradients

DILATIONS = (1, 2, 3)


@pytest.fixture(autouse=True)
def _numpy():
    with md.use("numpy"):
        yield


def block(dilations=DILATIONS):
    return TridentBlock(2, dilations, rng=np.random.default_rng(1)).astype("float64")


def plain(dilation, source):
    """A residual block of one dilation, with the weights of `source`, in evaluation mode."""
    model = ResidualBlock(2, 2, dilation=dilation).astype("float64")
    model.load_state_dict(source.state_dict())
    return model.eval()


def learning_without_statistics(dilations=DILATIONS):
    """In training mode, but normalised by fixed numbers: what a branch gives then depends on no other one."""
    model = block(dilations).train()
    model.bn1.eval()
    model.bn2.eval()
    return model


def pictures(count=2, size=13):
    return np.random.default_rng(0).standard_normal((count, 2, size, size))


def test_it_has_the_weights_of_one_block_and_answers_by_the_middle_branch():
    model, x = block().eval(), pictures()
    assert {name: p.shape for name, p in model.named_parameters()} == {
        name: p.shape for name, p in ResidualBlock(2, 2).named_parameters()
    }
    assert_array_equal(model(x).numpy(), plain(2, model)(x).numpy())


def test_in_training_there_is_an_answer_of_every_branch_one_after_another():
    model, x = learning_without_statistics(), pictures()
    answers = model(x).numpy()
    assert answers.shape == (6, 2, 13, 13)
    for dilation, answer in zip(DILATIONS, np.split(answers, 3), strict=True):
        assert_allclose(answer, plain(dilation, model)(x).numpy(), rtol=1e-12)


@pytest.mark.parametrize(("number", "dilation"), list(enumerate(DILATIONS)))
def test_a_branch_sees_as_far_as_its_dilation(number, dilation):
    model, x = learning_without_statistics(), md.tensor(np.ones((1, 2, 13, 13)), requires_grad=True)
    for conv in (model.conv1, model.conv2):
        conv.weight.data = np.ones(conv.weight.shape)
    model(x)[number, 0, 6, 6].backward()
    seen = np.flatnonzero(x.grad.numpy()[0, 0, 6])
    assert_array_equal(seen, 6 + dilation * np.arange(-2, 3))


def test_the_shared_weights_learn_the_sum_of_what_every_branch_asks_for():
    model, x = learning_without_statistics(), pictures()
    cotangent = np.random.default_rng(2).standard_normal((6, 2, 13, 13))
    (model(x) * cotangent).sum().backward()
    wanted = np.zeros(model.conv1.weight.shape)
    for dilation, part in zip(DILATIONS, np.split(cotangent, 3), strict=True):
        one = plain(dilation, model)
        (one(x) * part).sum().backward()
        wanted += one.conv1.weight.grad.numpy()
    assert_allclose(model.conv1.weight.grad.numpy(), wanted, rtol=1e-10, atol=1e-12)


def test_gradients_with_the_statistics_of_all_branches():
    model = block((1, 2)).train()
    check_gradients(model, pictures(1, 5))


def test_a_branch_that_is_alone_is_a_residual_block_in_training_too():
    model, x = block((2,)).train(), pictures()
    twin = plain(2, model).train()
    assert_array_equal(model(x).numpy(), twin(x).numpy())
    assert_array_equal(model.bn2.running_var, twin.bn2.running_var)


def test_a_detector_learns_from_every_branch_and_finds_by_one():
    options = {"widths": (4, 6, 8), "hidden": 16, "dilations": (2,)}
    model = faster_rcnn(**options, trident=(2, 4, 6), rng=np.random.default_rng(1))
    x, truth = np.ones((2, 1, 24, 24), np.float32), [Truth([[2, 3, 11, 12]]), Truth([])]
    outputs = model(x)
    assert outputs.shape[0] == 6
    model.loss(outputs, truth, rng=np.random.default_rng(0)).backward()
    assert all(np.abs(p.grad.numpy()).sum() > 0 for p in model.parameters())
    assert model.eval()(x).shape[0] == 2
    assert model.detect(x[:0]) == []
    alike = faster_rcnn(**options | {"dilations": (2, 4)})
    alike.load_state_dict(model.state_dict())
    assert_array_equal(model(x).numpy(), alike.eval()(x).numpy())


@pytest.mark.parametrize("dilations", [(), (1, 0), (1, 2.5)])
def test_refused(dilations):
    with pytest.raises(OptionError, match="TridentBlock: "):
        TridentBlock(2, dilations)

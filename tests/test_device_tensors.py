"""Tensors, layers and optimizers whose arrays lie in a device's memory.

The kernels here are the reference, wrapped to take and give device arrays of the emulator's memory, so that these tests need
no CUDA package: they are about where arrays lie, not about how kernels compute.
"""

from contextlib import contextmanager

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
import minidil.functional as F
from minidil import checkpoint
from minidil.errors import DtypeError, ShapeError
from minidil.kernels import backend as seam
from minidil.kernels import reference
from minidil.kernels.cuda.array import DTYPES, DeviceArray, to_device
from minidil.kernels.cuda.memory import pool
from minidil.random import default_rng
from minidil.train.diagnose import explain


def to_emulator(values):
    return to_device(values, pool("emulator"))


class OnDevice:
    """The reference, from device arrays to device arrays."""

    name = "device"
    hold = None

    def __getattr__(self, name):
        kernel = getattr(reference, name)

        def on_device(*arguments, **options):
            result = kernel(*map(fetched, arguments), **{key: fetched(value) for key, value in options.items()})
            return tuple(map(sent, result)) if isinstance(result, tuple) else sent(result)

        return on_device

    @staticmethod
    def place(x):
        return x if isinstance(x, DeviceArray) or x.dtype not in DTYPES else to_emulator(x)


def fetched(value):
    """An argument on the host, by way of the device, which refuses what it has no type for."""
    if isinstance(value, list | tuple):
        return type(value)(map(fetched, value))
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        value = to_emulator(value)
    return np.asarray(value) if isinstance(value, DeviceArray) else value


def sent(result):
    return to_emulator(np.asarray(result)) if isinstance(result, np.ndarray | np.generic) else result


@contextmanager
def device():
    token = seam._active.set(OnDevice())
    try:
        yield
    finally:
        seam._active.reset(token)


def lies_on_the_device(*tensors):
    return all(isinstance(t.data if isinstance(t, md.Tensor) else t, DeviceArray) for t in tensors)


def real(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_a_tensor_moves_when_it_is_used_and_only_once():
    x = md.tensor(real(3, 4))
    assert isinstance(x.data, np.ndarray)
    with device():
        y = x + 1
        moved = x.data
        assert lies_on_the_device(x, y)
        assert (x * 2).shape == (3, 4)
        assert x.data is moved
    with md.use("numpy"):
        assert isinstance((x + 1).data, np.ndarray)
        assert isinstance(x.data, np.ndarray)
    assert_array_equal(y.numpy(), real(3, 4) + 1)


def test_values_come_to_the_host_when_asked_for():
    with device():
        y = md.tensor([1.5, 2.5]).sum()
        assert lies_on_the_device(y)
        assert (y.item(), float(y), bool(y)) == (4.0, 4.0, True)
        assert repr(y) == "tensor(4., dtype=float32)"
        assert_array_equal(np.asarray(y), np.float32(4))
        assert not y.numpy().flags.writeable
        assert (y.shape, y.dtype, y.ndim, y.size) == ((), np.float32, 0, 1)
        assert [float(part) for part in md.tensor([1.0, 2.0]) * 2] == [2.0, 4.0]


def test_what_the_device_cannot_hold_stays_for_the_kernel_to_refuse():
    double = md.tensor(np.ones(3))
    with device():
        with pytest.raises(DtypeError, match="arrays on the device are float32, int32 or bool, not float64"):
            double + 1
        assert isinstance(double.data, np.ndarray)


def test_device_arrays_are_operands_and_tensors():
    held = to_emulator(real(3))
    x = md.tensor(held)
    assert x.data is held
    assert_array_equal(md.tensor(held, dtype=np.float64).numpy(), real(3).astype(np.float64))
    with device():
        assert_array_equal(F.maximum(x, held).numpy(), real(3))
    with md.use("numpy"):
        assert_array_equal(F.maximum(held, 0).numpy(), np.maximum(real(3), 0))
        with pytest.raises(DtypeError, match="a is float32, b is float64"):
            F.maximum(held, np.ones(3))


def test_values_can_be_set_from_either_side():
    x = md.tensor(real(3))
    held = to_emulator(real(3, seed=1))
    x.data = held
    assert x.data is held
    x.data = real(3)
    assert isinstance(x.data, np.ndarray)
    with pytest.raises(ShapeError, match=r"the tensor has shape \(3,\), the new value \(2,\)"):
        x.data = to_emulator(real(2))


@pytest.mark.parametrize("first", ["device", "numpy"])
def test_backward_runs_where_forward_ran(first):
    places = {"device": device, "numpy": lambda: md.use("numpy")}
    second = "numpy" if first == "device" else "device"
    x, w = md.tensor(real(4, 3), requires_grad=True), md.tensor(real(3, 2, seed=1), requires_grad=True)
    with places[first]():
        h = F.tanh(x @ w)
    with places[second]():
        loss = (h * h * x.sum()).sum()
    loss.backward()  # under a third backend, the default
    a, b = md.tensor(real(4, 3), requires_grad=True), md.tensor(real(3, 2, seed=1), requires_grad=True)
    g = F.tanh(a @ b)
    (g * g * a.sum()).sum().backward()
    assert_allclose(x.grad.numpy(), a.grad.numpy(), rtol=1e-4, atol=1e-5)
    assert_allclose(w.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-5)


def test_gradients_add_up_across_backends():
    x = md.tensor(real(3), requires_grad=True)
    for place in (device(), md.use("numpy"), device()):
        with place:
            (x * 2).sum().backward()
    assert_array_equal(x.grad.numpy(), np.full(3, 6, np.float32))
    with device():
        y = x * 3
        y.retain_grad()
        y.backward(gradient=np.ones(3, np.float32))
        assert_array_equal(y.grad.numpy(), np.ones(3))
        assert_array_equal(x.detach().numpy(), real(3))


def test_comparisons_and_masks():
    with device():
        x = md.tensor(real(5))
        positive = x > 0
        assert lies_on_the_device(positive)
        assert positive.dtype == bool
        assert_array_equal(F.where(positive, x, 0.0).numpy(), np.maximum(real(5), 0))
        assert_array_equal(x[positive].numpy(), real(5)[real(5) > 0])
        assert_array_equal((real(5) < x).numpy(), np.zeros(5, bool))


@pytest.mark.parametrize("kind", ["array", "tensor", "computed on the device"])
def test_class_numbers_are_looked_at_on_the_host(kind):
    labels = np.array([2, 0, 1])
    with device():
        target = {"array": labels, "tensor": md.tensor(labels), "computed on the device": None}[kind]
        if target is None:
            target = md.tensor(labels.astype(np.float32)).astype(np.int32)
            assert lies_on_the_device(target)
        logits = md.tensor(real(3, 4), requires_grad=True)
        loss = F.cross_entropy(logits, target=target, weight=md.tensor(np.ones(4, np.float32)))
        loss.backward()
    with md.use("numpy"):
        again = md.tensor(real(3, 4), requires_grad=True)
        expected = F.cross_entropy(again, target=labels)
        expected.backward()
    assert_allclose(loss.item(), expected.item(), rtol=1e-6)
    assert_allclose(logits.grad.numpy(), again.grad.numpy(), rtol=1e-5)


def network():
    md.seed(5)
    nn = md.nn
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=2, dilation=2),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 3),
    )


OPTIMIZERS = {
    "sgd": lambda parameters: md.optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: md.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "adamw": lambda parameters: md.optim.AdamW(parameters, lr=0.01),
}


def learn(model, optimizer, step):
    optimizer.zero_grad()
    inputs, labels = real(8, 2, 4, 4, seed=step), np.arange(8) % 3
    loss = F.cross_entropy(model(md.tensor(inputs)), target=labels)
    loss.backward()
    md.optim.clip_grad_norm(model.parameters(), 0.5)
    optimizer.step()
    return loss.item()


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_training_can_change_sides_at_any_step(kind):
    places = {"device": device, "numpy": lambda: md.use("numpy")}

    def losses(order):
        model = network()
        optimizer = OPTIMIZERS[kind](model.parameters())
        found = []
        for step, place in enumerate(order):
            with places[place]():
                found.append(learn(model, optimizer, step))
        model.eval()
        with md.use("numpy"):
            found.append(float(model(md.tensor(real(2, 2, 4, 4))).sum()))
        return found

    expected = losses(["numpy"] * 5)
    assert_allclose(losses(["device"] * 5), expected, rtol=1e-4, atol=1e-4)
    assert_allclose(losses(["numpy", "device", "device", "numpy", "device"]), expected, rtol=1e-4, atol=1e-4)


def test_state_is_saved_on_the_host_and_taken_up_on_the_device(tmp_path):
    with device():
        model = network()
        optimizer = OPTIMIZERS["adamw"](model.parameters())
        learn(model, optimizer, 0)
        assert lies_on_the_device(*model.parameters(), model[1].running_mean, model[1].running_var)
        assert lies_on_the_device(optimizer._state[id(model[0].weight)]["mean"])
        saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        assert {type(value) for value in saved["model"].values()} == {np.ndarray}
        checkpoint.save(tmp_path / "run.npz", saved)
        read = checkpoint.load(tmp_path / "run.npz")
        second = network()
        again = OPTIMIZERS["adamw"](second.parameters())
        second.load_state_dict(read["model"])
        again.load_state_dict(read["optimizer"])
        before = default_rng().bit_generator.state
        first = learn(model, optimizer, 1)
        default_rng().bit_generator.state = before  # so that dropout drops the same
        assert learn(second, again, 1) == first
    for name, value in model.state_dict().items():
        assert_array_equal(second.state_dict()[name], value)


def test_a_model_changes_precision_on_the_host():
    with device():
        model = network()
        model(md.tensor(real(8, 2, 4, 4)))
        assert lies_on_the_device(model[0].weight, model[1].running_mean)
    double = model.astype(np.float64)
    assert {parameter.dtype for parameter in double.parameters()} == {np.dtype(np.float64)}
    assert model[1].running_mean.dtype == np.float64


def test_a_loss_that_is_not_finite_is_explained_on_the_device_too():
    with device():
        model = network()
        model[6].bias.data = np.full(3, np.inf, np.float32)
        message = str(explain(model, real(8, 2, 4, 4), default_rng().bit_generator.state, np.inf, "in epoch 1"))
    assert "'6' (Linear)" in message
    assert "as its bias did before" in message

"""Chapter 4, gradients by hand: of a convolution, of a linear layer, of batch normalisation, of softmax and cross-entropy."""

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

EPS = 1e-5


# What is expected


def conv_gradients(x: Array, w: Array, upstream: Array, stride: int, dilation: int) -> tuple[Array, Array, float]:
    """x (S,), w (K,), upstream (O,) -> dx (S,), dw (K,), db: every wire o, k, i = o stride + k dilation carries w[k] x[i]."""
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for o, k in np.ndindex(len(upstream), len(w)):
        i = o * stride + k * dilation
        dx[i] += w[k] * upstream[o]
        dw[k] += x[i] * upstream[o]
    return dx, dw, float(upstream.sum())


def linear_gradients(x: Array, weight: Array, upstream: Array) -> tuple[Array, Array, Array]:
    """x (N, I), weight (O, I), upstream (N, O), for y = x weight^T + bias."""
    return upstream @ weight, upstream.T @ x, upstream.sum(axis=0)


def batch_norm_backward(x: Array, gamma: Array, upstream: Array) -> tuple[Array, Array, Array]:
    """x (N, C), gamma (C,), upstream (N, C), for y = gamma h + beta with h = (x - mean) / sqrt(var + eps)."""
    r = 1 / np.sqrt(x.var(axis=0) + EPS)
    h = (x - x.mean(axis=0)) * r
    g = gamma * upstream
    dx = r * (g - g.mean(axis=0) - h * (g * h).mean(axis=0))
    return dx, (upstream * h).sum(axis=0), upstream.sum(axis=0)


def cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """logits (N, C), labels (N,) -> the mean loss and its gradient."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    gradient = np.exp(log_p)
    gradient[rows, labels] -= 1
    return float(-log_p[rows, labels].mean()), gradient / len(labels)


# How cases are drawn


def _conv_cases(draw: Draw) -> dict[str, Any]:
    kernel, stride, dilation = draw.integer(1, 3), draw.integer(1, 3), draw.integer(1, 3)
    size = dilation * (kernel - 1) + 1 + draw.integer(0, 6)
    outputs = (size - dilation * (kernel - 1) - 1) // stride + 1
    upstream = draw.array(outputs)
    return {
        "x": draw.array(size),
        "w": draw.array(kernel),
        "upstream": upstream,
        "stride": stride,
        "dilation": dilation,
    }


def _linear_cases(draw: Draw) -> dict[str, Any]:
    images, inputs, outputs = draw.integer(1, 4), draw.integer(1, 4), draw.integer(1, 4)
    return {
        "x": draw.array(images, inputs),
        "weight": draw.array(outputs, inputs),
        "upstream": draw.array(images, outputs),
    }


def _norm_cases(draw: Draw) -> dict[str, Any]:
    images, channels = draw.integer(3, 6), draw.integer(1, 3)  # of two images, and of upstream = x, dx is nearly 0
    return {
        "x": draw.reals(images, channels),
        "gamma": draw.reals(channels),
        "upstream": draw.reals(images, channels, power=2),
    }


def _entropy_cases(draw: Draw) -> dict[str, Any]:
    images, classes = draw.integer(1, 4), draw.integer(2, 4)
    labels = draw.labels(images, classes)
    return {"logits": draw.choice((1.0, 400.0)) * draw.reals(images, classes), "labels": labels}


# What students get wrong


def _conv_overwritten(x: Array, w: Array, upstream: Array, stride: int, dilation: int) -> tuple[Array, Array, float]:
    _, dw, db = conv_gradients(x, w, upstream, stride, dilation)
    dx = np.zeros(x.shape)
    for o, k in np.ndindex(len(upstream), len(w)):
        dx[o * stride + k * dilation] = w[k] * upstream[o]
    return dx, dw, db


def _conv_overwritten_by_tap(
    x: Array, w: Array, upstream: Array, stride: int, dilation: int
) -> tuple[Array, Array, float]:
    _, dw, db = conv_gradients(x, w, upstream, stride, dilation)
    dx = np.zeros(x.shape)
    for k, o in np.ndindex(len(w), len(upstream)):
        dx[o * stride + k * dilation] = w[k] * upstream[o]
    return dx, dw, db


def _conv_flipped(x: Array, w: Array, upstream: Array, stride: int, dilation: int) -> tuple[Array, Array, float]:
    dx, _, _ = conv_gradients(x, w[::-1], upstream, stride, dilation)
    return dx, *conv_gradients(x, w, upstream, stride, dilation)[1:]


def _conv_weight_unstrided(
    x: Array, w: Array, upstream: Array, stride: int, dilation: int
) -> tuple[Array, Array, float]:
    dx, _, db = conv_gradients(x, w, upstream, stride, dilation)
    return dx, conv_gradients(x, w, upstream, 1, dilation)[1], db


def _conv_bias_mean(x: Array, w: Array, upstream: Array, stride: int, dilation: int) -> tuple[Array, Array, float]:
    dx, dw, _ = conv_gradients(x, w, upstream, stride, dilation)
    return dx, dw, float(upstream.mean())


def _conv_bias_one(x: Array, w: Array, upstream: Array, stride: int, dilation: int) -> tuple[Array, Array, float]:
    dx, dw, _ = conv_gradients(x, w, upstream, stride, dilation)
    return dx, dw, 1.0


def _linear_unsummed(x: Array, weight: Array, upstream: Array) -> tuple[Array, Array, Array]:
    return upstream @ weight, upstream.T @ x, upstream


def _linear_wrong_axis(x: Array, weight: Array, upstream: Array) -> tuple[Array, Array, Array]:
    return upstream @ weight, upstream.T @ x, upstream.sum(axis=1)


def _linear_transposed(x: Array, weight: Array, upstream: Array) -> tuple[Array, Array, Array]:
    return upstream @ weight, x.T @ upstream, upstream.sum(axis=0)


def _linear_weight_transposed(x: Array, weight: Array, upstream: Array) -> tuple[Array, Array, Array]:
    return upstream @ weight.T, upstream.T @ x, upstream.sum(axis=0)


def _linear_mean(x: Array, weight: Array, upstream: Array) -> tuple[Array, Array, Array]:
    return upstream @ weight, upstream.T @ x / len(x), upstream.mean(axis=0)


def _linear_bias_mean(x: Array, weight: Array, upstream: Array) -> tuple[Array, Array, Array]:
    return upstream @ weight, upstream.T @ x, upstream.mean(axis=0)


def _norm_constants(x: Array, gamma: Array, upstream: Array) -> tuple[Array, Array, Array]:
    r = 1 / np.sqrt(x.var(axis=0) + EPS)
    return gamma * r * upstream, *batch_norm_backward(x, gamma, upstream)[1:]


def _norm_constant_variance(x: Array, gamma: Array, upstream: Array) -> tuple[Array, Array, Array]:
    r, g = 1 / np.sqrt(x.var(axis=0) + EPS), gamma * upstream
    return r * (g - g.mean(axis=0)), *batch_norm_backward(x, gamma, upstream)[1:]


def _norm_without_r(x: Array, gamma: Array, upstream: Array) -> tuple[Array, Array, Array]:
    dx, dgamma, dbeta = batch_norm_backward(x, gamma, upstream)
    return dx * np.sqrt(x.var(axis=0) + EPS), dgamma, dbeta


def _norm_without_gamma(x: Array, gamma: Array, upstream: Array) -> tuple[Array, Array, Array]:
    return batch_norm_backward(x, np.ones_like(gamma), upstream)


def _norm_gamma_of_x(x: Array, gamma: Array, upstream: Array) -> tuple[Array, Array, Array]:
    dx, _, dbeta = batch_norm_backward(x, gamma, upstream)
    return dx, (upstream * x).sum(axis=0), dbeta


def _norm_of_n_minus_one(x: Array, gamma: Array, upstream: Array) -> tuple[Array, Array, Array]:
    r = 1 / np.sqrt(x.var(axis=0, ddof=1) + EPS)
    h, g = (x - x.mean(axis=0)) * r, gamma * upstream
    dx = r * (g - g.mean(axis=0) - h * (g * h).mean(axis=0))
    return dx, (upstream * h).sum(axis=0), upstream.sum(axis=0)


def _norm_means(x: Array, gamma: Array, upstream: Array) -> tuple[Array, Array, Array]:
    dx, dgamma, dbeta = batch_norm_backward(x, gamma, upstream)
    return dx, dgamma / len(x), dbeta / len(x)


def _entropy_summed(logits: Array, labels: Array) -> tuple[float, Array]:
    loss, gradient = cross_entropy(logits, labels)
    return loss * len(labels), gradient * len(labels)


def _entropy_gradient_undivided(logits: Array, labels: Array) -> tuple[float, Array]:
    loss, gradient = cross_entropy(logits, labels)
    return loss, gradient * len(labels)


def _entropy_overflow(logits: Array, labels: Array) -> tuple[float, Array]:
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float(-np.log(p[rows, labels]).mean())
    p[rows, labels] -= 1
    return loss, p / len(labels)


def _entropy_shifted_by_all(logits: Array, labels: Array) -> tuple[float, Array]:
    return _entropy_overflow(logits - logits.max(), labels)


def _entropy_shifted_late(logits: Array, labels: Array) -> tuple[float, Array]:
    return _entropy_overflow(logits - logits.max(axis=1, keepdims=True), labels)


def _entropy_without_target(logits: Array, labels: Array) -> tuple[float, Array]:
    loss, gradient = cross_entropy(logits, labels)
    gradient[np.arange(len(labels)), labels] += 1 / len(labels)
    return loss, gradient


def _entropy_negative(logits: Array, labels: Array) -> tuple[float, Array]:
    loss, gradient = cross_entropy(logits, labels)
    return loss, -gradient


def _entropy_wrong_axis(logits: Array, labels: Array) -> tuple[float, Array]:
    shifted = logits - logits.max(axis=0)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=0))
    rows = np.arange(len(labels))
    gradient = np.exp(log_p)
    gradient[rows, labels] -= 1
    return float(-log_p[rows, labels].mean()), gradient / len(labels)


EXERCISES = (
    Exercise(
        name="ex04_1",
        title="The gradients of a convolution",
        function="my_conv_gradients",
        signature="my_conv_gradients(x, w, upstream, stride, dilation)",
        cases=_conv_cases,
        expected=conv_gradients,
        returns=("dx", "dw", "db"),
        hints=(
            "Draw a wire for every product w[k] * x[i] that goes into an output o. What is i?",
            "Along the wire of o, k and i = o * stride + k * dilation the derivative for x[i] is w[k], and that for "
            "w[k] is x[i]; both are multiplied by upstream[o].",
            "Go through all wires in two loops and add: dx[i] += w[k] * upstream[o]; dw[k] += x[i] * upstream[o]; db "
            "is the sum of upstream, since the bias is added to every output with factor 1.",
        ),
        mistakes=(
            Mistake(
                "= for += in dx",
                _conv_overwritten,
                "An input that several windows read has several wires, and what comes back along them adds up.",
            ),
            Mistake(
                "= for += in dx, tap by tap",
                _conv_overwritten_by_tap,
                "An input that several windows read has several wires, and what comes back along them adds up.",
            ),
            Mistake(
                "kernel flipped in dx",
                _conv_flipped,
                "The weight of a wire is the same on the way back: what went through w[k] comes back through w[k]. "
                "(Written as a convolution the kernel is flipped; written as wires it is not.)",
            ),
            Mistake(
                "the stride is missing in dw",
                _conv_weight_unstrided,
                "w[k] met the input o * stride + k * dilation in output o, not o + k * dilation.",
            ),
            Mistake(
                "mean for sum in db",
                _conv_bias_mean,
                "The bias is added to every output: its gradient is what comes back from all of them, added up, not averaged.",
            ),
            Mistake(
                "db is 1",
                _conv_bias_one,
                "1 is the derivative of one output for the bias. Times upstream, and there are many outputs.",
            ),
        ),
        points=4,
        minutes=30,
        forbidden=("minidil.functional.conv", "minidil.Tensor.backward", "minidil.functional.conv_transpose"),
    ),
    Exercise(
        name="ex04_2",
        title="The gradients of a linear layer",
        function="my_linear_gradients",
        signature="my_linear_gradients(x, weight, upstream)",
        cases=_linear_cases,
        expected=linear_gradients,
        returns=("dx", "dw", "db"),
        hints=(
            "A gradient has the shape of what it belongs to. Which product of two of the three arrays has that shape?",
            "y[n, o] is the sum of x[n, i] * weight[o, i] over i, plus bias[o]. What multiplies weight[o, i] in it, "
            "and for which n?",
            "dx = upstream @ weight; dw = upstream.T @ x, which sums over the images; db sums upstream over the images.",
        ),
        mistakes=(
            Mistake(
                "the broadcasting sum is forgotten in db",
                _linear_unsummed,
                "The bias was broadcast to all images. On the way back that is a sum over them: db has the shape of the bias.",
            ),
            Mistake(
                "db sums over the wrong axis",
                _linear_wrong_axis,
                "There is one bias per output: the sum runs over the images.",
            ),
            Mistake("dw is transposed", _linear_transposed, "weight is (outputs, inputs), and so is its gradient."),
            Mistake(
                "transposed weight in dx",
                _linear_weight_transposed,
                "Forward it was x @ weight.T; what goes forward through a matrix comes back through its transpose.",
            ),
            Mistake(
                "mean for sum over the images",
                _linear_mean,
                "If the loss is a mean, the 1/N is in upstream already. The layer itself only adds up.",
            ),
            Mistake(
                "mean for sum in db",
                _linear_bias_mean,
                "The bias is added to every image: its gradient is what comes back from all of them, added up.",
            ),
        ),
        points=3,
        minutes=20,
        forbidden=("minidil.functional.linear", "minidil.Tensor.backward"),
    ),
    Exercise(
        name="ex04_3",
        title="Batch normalisation, backward",
        function="my_batch_norm_backward",
        signature="my_batch_norm_backward(x, gamma, upstream)",
        cases=_norm_cases,
        expected=batch_norm_backward,
        returns=("dx", "dgamma", "dbeta"),
        hints=(
            "Write h = (x - m) * r with r = 1/sqrt(v + eps). x reaches h in three ways: directly, through the mean "
            "m, and through the variance v.",
            "Let H = gamma * upstream, the gradient for h. Directly comes r * H; through the mean -r * mean(H); "
            "through the variance -r * h * mean(H * h). All means are over the images.",
            "dx = r * (H - H.mean(axis=0) - h * (H * h).mean(axis=0)); dgamma = (upstream * h).sum(axis=0); dbeta is "
            "the sum of upstream over the images.",
        ),
        mistakes=(
            Mistake(
                "mean and variance taken for constants",
                _norm_constants,
                "Only the direct way is left. The mean and the variance are computed from x, so x also reaches y through them.",
            ),
            Mistake(
                "the variance taken for a constant",
                _norm_constant_variance,
                "The direct way and that through the mean are there. The third one, through the variance, is missing.",
            ),
            Mistake(
                "the factor r is forgotten",
                _norm_without_r,
                "h is x - m divided by the deviation, and so is what comes back.",
            ),
            Mistake(
                "gamma is forgotten in dx",
                _norm_without_gamma,
                "On its way back to h, upstream passes the factor gamma.",
            ),
            Mistake("dgamma with x for h", _norm_gamma_of_x, "gamma multiplies h, the normalised numbers, not x."),
            Mistake(
                "the variance divided by n - 1",
                _norm_of_n_minus_one,
                "Batch normalisation divides by n, as x.var(axis=0) does.",
            ),
            Mistake(
                "mean for sum in dgamma and dbeta",
                _norm_means,
                "gamma and beta act on every image: what comes back from all of them is added up.",
            ),
        ),
        points=5,
        minutes=45,
        forbidden=("minidil.functional.batch_norm", "minidil.Tensor.backward"),
        tolerance=1e-8,
    ),
    Exercise(
        name="ex04_4",
        title="Softmax and cross-entropy",
        function="my_cross_entropy",
        signature="my_cross_entropy(logits, labels)",
        cases=_entropy_cases,
        expected=cross_entropy,
        returns=("loss", "dlogits"),
        hints=(
            "The loss of one image is log(sum of exp(z)) - z[label]. What happens to exp(z) if a logit is 800?",
            "Subtract the largest logit of every row first: softmax does not change. Then log p = z - log(sum of "
            "exp(z)), without taking the logarithm of a p that may be 0.",
            "The gradient for a row is p, minus 1 at the label, divided by the number of rows; p = exp(log p).",
        ),
        mistakes=(
            Mistake(
                "sum for mean over the images",
                _entropy_summed,
                "The loss is to be the mean over the images, and the gradient that of this mean.",
            ),
            Mistake(
                "the gradient is that of the sum",
                _entropy_gradient_undivided,
                "The loss is a mean over the images, so 1/N belongs into its gradient as well.",
            ),
            Mistake(
                "overflow: exp of the logits as they are",
                _entropy_overflow,
                "exp(710) is beyond what a float can hold, and inf / inf is nan. Which number may be subtracted from "
                "all logits of a row without changing the softmax?",
            ),
            Mistake(
                "shifted by the largest logit of all rows",
                _entropy_shifted_by_all,
                "In a row far below the largest logit of all, every exp is 0, and 0 / 0 is nan. Each row has a largest one.",
            ),
            Mistake(
                "the logarithm of a probability that is 0",
                _entropy_shifted_late,
                "A small probability is rounded to 0, and its logarithm is -inf. Compute log p without p: z - "
                "log(sum of exp(z)).",
            ),
            Mistake(
                "the label is missing in the gradient",
                _entropy_without_target,
                "The gradient is p only for the classes that are not the label. What does -z[label] add?",
            ),
            Mistake(
                "the gradient has the wrong sign",
                _entropy_negative,
                "The logit of the label must have a negative gradient.",
            ),
            Mistake(
                "softmax over the images",
                _entropy_wrong_axis,
                "Each row is one image, and its probabilities add up to 1: the sum runs over the classes.",
            ),
        ),
        points=4,
        minutes=30,
        forbidden=("minidil.functional.cross_entropy", "minidil.functional.log_softmax", "minidil.functional.softmax"),
    ),
)

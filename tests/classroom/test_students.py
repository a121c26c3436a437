"""Wrong answers as students write them, in other words than the catalogue's, and the mistake that each is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minidil as md
from minidil.classroom.register import exercise
from minidil.detect import box_iou


def im2col_appending(x, kernel_size, stride, dilation):
    """Outputs outside, taps inside, ravelled window by window: the dilation is forgotten."""
    span = dilation * (kernel_size - 1) + 1
    columns = []
    for i in range(0, x.shape[1] - span + 1, stride):
        for j in range(0, x.shape[2] - span + 1, stride):
            columns.append(x[:, i : i + kernel_size, j : j + kernel_size].ravel())
    return np.array(columns).T


def im2col_of_rows(x, kernel_size, stride, dilation):
    span = dilation * (kernel_size - 1) + 1
    columns = []
    for i in range(0, x.shape[1] - span + 1, stride):
        for j in range(0, x.shape[2] - span + 1, stride):
            columns.append(x[:, i : i + span : dilation, j : j + span : dilation].ravel())
    return np.array(columns)


def im2col_without_stride(x, kernel_size, stride, dilation):
    span = dilation * (kernel_size - 1) + 1
    height, width = (x.shape[1] - span) // stride + 1, (x.shape[2] - span) // stride + 1
    columns = []
    for i in range(height):
        for j in range(width):
            columns.append(x[:, i : i + span : dilation, j : j + span : dilation].ravel())
    return np.array(columns).T


def col2im_in_four_loops(cols, shape, kernel_size, stride, dilation):
    width = shape[2]
    span = dilation * (kernel_size - 1) + 1
    out_width = (width - span) // stride + 1
    image = np.zeros(shape)
    for row in range(cols.shape[0]):
        c, tap = divmod(row, kernel_size * kernel_size)
        u, v = divmod(tap, kernel_size)
        for column in range(cols.shape[1]):
            i, j = divmod(column, out_width)
            image[c, i * stride + u * dilation, j * stride + v * dilation] = cols[row, column]
    return image


def causal_backwards(x, w, dilation):
    y = np.zeros(len(x))
    for t in range(len(x)):
        for k in range(len(w)):
            if t - k * dilation >= 0:
                y[t] += w[k] * x[t - k * dilation]
    return y


def causal_with_little_padding(x, w, dilation):
    padded = np.concatenate([np.zeros(len(w) - 1), x])
    return np.array([sum(w[k] * padded[t + k * dilation] for k in range(len(w))) for t in range(len(x))])


def field_of_the_last(kernel_size, dilations):
    return (kernel_size - 1) * max(dilations) + 1


def correlate_with_convolve(x, w):
    return np.convolve(x, w, mode="valid")


def correlate_one_short(x, w):
    y = []
    for o in range(len(x) - len(w)):
        y.append(np.dot(x[o : o + len(w)], w))
    return np.array(y)


def conv_overwriting_channels(x, w, b, stride, padding):
    x = np.pad(x, [(0, 0), (padding, padding), (padding, padding)])
    kernel = w.shape[2]
    height, width = (x.shape[1] - kernel) // stride + 1, (x.shape[2] - kernel) // stride + 1
    y = np.zeros((len(w), height, width))
    for f in range(len(w)):
        for c in range(len(x)):
            for i in range(height):
                for j in range(width):
                    window = x[c, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
                    y[f, i, j] = (window * w[f, c]).sum() + b[f]
    return y


def gradients_of_a_mean(x, weight, upstream):
    return upstream.dot(weight), upstream.T.dot(x), upstream.mean(0)


def norm_without_statistics(x, gamma, upstream):
    std = np.sqrt(x.var(0) + 1e-5)
    normed = (x - x.mean(0)) / std
    return upstream * gamma / std, (upstream * normed).sum(0), upstream.sum(0)


def entropy_of_softmax(logits, labels):
    e = np.exp(logits)
    p = e / e.sum(1, keepdims=True)
    loss = -np.mean(np.log(p[np.arange(len(p)), labels]))
    onehot = np.eye(logits.shape[1])[labels]
    return loss, (p - onehot) / len(p)


def entropy_in_place(logits, labels):
    logits -= logits.max(1, keepdims=True)
    logp = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    rows = np.arange(len(labels))
    return -logp[rows, labels].mean(), (np.exp(logp) - np.eye(logits.shape[1])[labels]) / len(labels)


def causal_before_the_beginning(x, w, dilation):
    """Python counts an index below 0 from the end, and has none below -len(x)."""
    y = np.zeros(len(x))
    for t in range(len(x)):
        for k in range(len(w)):
            y[t] += w[k] * x[t - (len(w) - 1 - k) * dilation]
    return y


def mean_iou_with_its_nan(said, true):
    return np.mean((said & true).sum(axis=(1, 2)) / (said | true).sum(axis=(1, 2)))


def dice_slope_of_sums(p, t, e):
    total = p.sum() + t.sum() + e
    dice = (2 * p.sum() * t.sum() + e) / total
    return (dice - 2 * t) / total


def clip_before_the_beginning(clip, taps, dilation):
    y = np.zeros_like(clip)
    for t in range(len(clip)):
        for k in range(len(taps)):
            y[t] += taps[k] * clip[t - (len(taps) - 1 - k) * dilation]
    return y


def nms_in_one_round(boxes, scores, threshold):
    """Each is compared with the surest alone."""
    best = np.argmax(scores)
    overlap = box_iou(boxes, boxes)[best]
    return np.array([i for i in np.argsort(-scores) if i == best or overlap[i] <= threshold])


def attention_of_the_queries(q, k, v, counts):
    z = q @ k.T / np.sqrt(q.shape[1])
    z[~counts] = -np.inf
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True) @ v


def attention_gradients_from_the_end(q, k, v, grad):
    p = np.exp(q @ k.T / np.sqrt(q.shape[1]))
    p /= p.sum(axis=1, keepdims=True)
    dp = grad @ v.T
    d = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / np.sqrt(q.shape[1])
    return p.T @ grad, d @ k, d.T @ q


TOLD: list[tuple[str, Callable[..., Any], str]] = [
    ("ex01_2", correlate_with_convolve, "kernel flipped"),
    ("ex01_2", correlate_one_short, "the last output is missing"),
    ("ex01_3", conv_overwriting_channels, "only the last channel counts"),
    ("ex02_3", causal_backwards, "kernel flipped"),
    ("ex02_3", causal_with_little_padding, "k - 1 zeros, and windows beyond the end"),
    ("ex02_3", causal_before_the_beginning, "an index below 0"),
    ("ex02_4", field_of_the_last, "only the largest dilation counts"),
    ("ex03_2", im2col_appending, "the dilation is ignored"),
    ("ex03_2", im2col_of_rows, "transposed: one row per output"),
    ("ex03_2", im2col_without_stride, "the stride does not move the window"),
    ("ex03_3", col2im_in_four_loops, "= for +="),
    ("ex04_2", gradients_of_a_mean, "mean for sum in db"),
    ("ex04_3", norm_without_statistics, "mean and variance taken for constants"),
    ("ex04_4", entropy_of_softmax, "overflow: exp of the logits as they are"),
    ("ex14_1", mean_iou_with_its_nan, "0/0 stays in the mean"),
    ("ex14_2", dice_slope_of_sums, "the product of the sums"),
    ("ex17_3", clip_before_the_beginning, "an index below 0"),
    ("ex18_2", nms_in_one_round, "only the surest removes"),
    ("ex19_2", attention_of_the_queries, "queries are taken out in place of keys"),
    ("ex19_3", attention_gradients_from_the_end, "the right things in another order"),
]


FAST = (im2col_appending, col2im_in_four_loops, causal_backwards)
CASES = [
    pytest.param(*each, id=each[1].__name__, marks=() if each[1] in FAST else (pytest.mark.slow,)) for each in TOLD
]


@pytest.mark.parametrize(("name", "function", "mistake"), CASES)
def test_the_mistake_is_told(name: str, function: Callable[..., Any], mistake: str) -> None:
    result = md.check(name, function, seconds=10)
    assert result.mistake == mistake, result.message


def test_a_right_result_with_a_changed_argument_is_not_enough() -> None:
    result = md.check("ex04_4", entropy_in_place, seconds=10)
    assert result.kind == "in place"
    assert "changes its argument logits in place" in result.message


def test_the_readme_shows_what_a_check_prints() -> None:
    readme = Path(md.__file__).parents[1] / "README.md"
    if not readme.exists():
        pytest.skip("this is an installed package, without its README")
    shown = re.search(r'>>> minidil.check\("ex03_3", my_col2im\)\n(.*?)```', readme.read_text("utf-8"), re.DOTALL)
    assert shown is not None
    by_tap = next(mistake for mistake in exercise("ex03_3").mistakes if mistake.name == "= for +=")
    message = md.check("ex03_3", by_tap.wrong, seconds=10).message
    # How many cases it takes is a matter of hypothesis's version.
    said, promised = (re.sub(r"\(\d+ were", "(some were", text).split() for text in (message, shown[1]))
    assert said == promised

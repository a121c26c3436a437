"""Arguments: PyTorch's names of them, and what is said of those that there are not."""

# Keyword arguments: PyTorch's name to ours, for one function or ("") for every one that has ours.
KEYWORDS = {
    ("", "dim"): "axis",
    ("", "keepdim"): "keepdims",
    ("", "other"): "b",
    ("", "start_dim"): "start",
    ("", "end_dim"): "end",
    ("", "dims"): "axes",
    ("clip", "min"): "low",
    ("clip", "max"): "high",
    ("leaky_relu", "negative_slope"): "slope",
    ("pad", "pad"): "width",
    ("var", "correction"): "ddof",
    ("std", "correction"): "ddof",
    ("cross_entropy", "input"): "logits",
    ("where", "input"): "a",
    ("where", "self"): "a",
    ("maximum", "input"): "a",
    ("minimum", "input"): "a",
}

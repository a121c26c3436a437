"""What `minidil train` takes where nothing is given: the settings that suit a data set, and those of a recipe."""

from typing import Any

# Written strokes are sharp and none is another's mirror image.
_GREY: dict[str, Any] = {"label_smoothing": 0.0, "flip": False}

DATA_DEFAULTS: dict[str, dict[str, Any]] = {
    "digits": _GREY
    | {"epochs": 30, "batch_size": 64, "lr": 0.05, "crop": 1, "widths": (32, 64), "dilations": ((1, 2), (1, 2))},
    "mnist": _GREY | {"epochs": 3, "crop": 2, "widths": (32, 64, 128)},
    "fashion_mnist": _GREY | {"epochs": 10, "crop": 2, "flip": True, "widths": (32, 64, 128)},
    "cifar10": {},
    "cifar100": {},
    "nuclei": {"model": "unet"},
    "clips": {"model": "c3d"},
    "spoken_digits": {"model": "wavenet", "hears": "mean-free"},
    "copy_memory": {"model": "tcn"},
    "adding": {"model": "tcn", "lr": 4e-3, "loss": "mse", "length": 200},
    "rt_polarity": {"model": "kim_cnn"},
    "wnut17": {"model": "bilstm_crf"},
}

RECIPES: dict[str, dict[str, Any]] = {
    "standard": {},
    # airbench94 (Jordan 2024, arXiv:2404.00498), made for CIFAR-10. The paper sums the loss over the batch of 1,024 images
    # and has a rate of 11.5 / (1024 (1 + 1/(1 - 0.85))); the mean over the batch has the same gradient at 1,024 times that
    # rate, 11.5 / (1 + 1/0.15) = 1.5. It decays the weights by 0.0153 / (1 + 1/0.15) a step; SGD here multiplies by the
    # rate, so the strength is 0.0153 / 11.5. Other batch sizes want another rate: in proportion, to begin with.
    "fast": {
        "model": "vgg_fast",
        "epochs": 10,
        "batch_size": 1024,
        "drop_last": True,
        "optimizer": "sgd",
        "momentum": 0.85,
        "lr": 1.5,
        "norm_bias_lr": 64.0,
        "weight_decay": 0.0153 / 11.5,
        "schedule": "triangular",
        "average_every": 5,
        "freeze": (("whiten", 3),),
        "label_smoothing": 0.2,
        "crop": 2,
        "crop_fill": "reflect",
        "flip_rule": "alternating",
        "validation": 0.0,
        "tta": 2,
    },
}

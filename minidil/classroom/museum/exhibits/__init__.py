"""The exhibits. In: the library's functions. Out: mistakes that published libraries and tutorials really made in their like."""

from minidil.classroom.museum.exhibits import geometry, gradients, kernels, training

EXHIBITS = tuple(
    sorted(
        (*geometry.EXHIBITS, *kernels.EXHIBITS, *gradients.EXHIBITS, *training.EXHIBITS),
        key=lambda mutant: mutant.chapter,
    )
)

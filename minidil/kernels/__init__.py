"""Kernels: arrays in, arrays out, no autograd. `reference` defines every one of them; the other backends are faster."""

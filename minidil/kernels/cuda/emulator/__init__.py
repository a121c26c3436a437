"""A CUDA device on the CPU: it executes the PTX that numba.cuda compiles, and reports what a GPU would let pass.

memory     the device's address space, which knows what was allocated and what was written
"""

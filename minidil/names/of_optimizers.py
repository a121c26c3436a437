"""The same for torch.optim and torch.optim.lr_scheduler."""

_SCHEDULE = "learning rates over time are in minidil.schedule: {}"

OPTIMIZERS: dict[str, str] = {
    "lr_scheduler": _SCHEDULE.format("Step, Cosine, OneCycle, Triangular, Warmup, Constant"),
    "clip_grad_value_": "write p.grad = p.grad.clip(-limit, limit) for each parameter",
    "SparseAdam": "use Adam with nn.Embedding(..., sparse=True)",
}

METHODS: dict[str, str] = {
    "add_param_group": "build the optimizer anew with all groups: [{'params': ..., 'lr': ...}, ...]",
    "defaults": "look at param_groups[0]",
    "state": "look at state_dict()['state']",
    "register_*": "call it beside step()",
}

SCHEDULERS: dict[str, str] = {
    "StepLR": _SCHEDULE.format("Step(optimizer, steps, gamma)"),
    "MultiStepLR": _SCHEDULE.format("Step(optimizer, [30, 60], gamma)"),
    "CosineAnnealingLR": _SCHEDULE.format("Cosine(optimizer, total_steps)"),
    "OneCycleLR": _SCHEDULE.format("OneCycle(optimizer, total_steps)"),
    "CyclicLR": _SCHEDULE.format("Triangular(optimizer, total_steps)"),
    "LinearLR": _SCHEDULE.format("Warmup(optimizer, steps)"),
    "ConstantLR": _SCHEDULE.format("Constant(optimizer)"),
    "LRScheduler": _SCHEDULE.format("Schedule, whose method factor(step) you write"),
    "LambdaLR": _SCHEDULE.format("Schedule, whose method factor(step) you write"),
    "*": _SCHEDULE.format("derive one from Schedule and write factor(step)"),
}

SCHEDULES: dict[str, str] = {name: said for name, said in SCHEDULERS.items() if name != "*"}

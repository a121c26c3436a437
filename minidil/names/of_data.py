"""The same for torch.utils.data."""

HINTS: dict[str, str] = {
    "random_split": "use minidil.data.split, or the rows of a TensorDataset that rng.permutation(n) chooses",
    "Subset": "index a Dataset with an array of numbers, or make a list of the items",
    "ConcatDataset": "concatenate the arrays, or add lists of items",
    "ChainDataset": "concatenate the arrays, or add lists of items",
    "IterableDataset": "make a list of the items: a loader asks for them by number",
    "*Sampler": "shuffle=True of DataLoader, or put the items in the order wanted",
    "default_collate": "use minidil.data.collate.stack",
    "get_worker_info": "there is one thread, and no worker process",
}

"""The same for torch.utils.data, and for torchvision's transforms."""

HINTS: dict[str, str] = {
    "random_split": "use minidil.data.split(dataset, fraction, seed), or rows of a TensorDataset: ds[rng.permutation(n)[:k]]",
    "Subset": "index a Dataset with an array of numbers, or make a list of the items",
    "ConcatDataset": "concatenate the arrays, or add lists of items",
    "ChainDataset": "concatenate the arrays, or add lists of items",
    "IterableDataset": "make a list of the items: a loader asks for them by number",
    "*Sampler": "shuffle=True of DataLoader, or put the items in the order wanted",
    "default_collate": "use minidil.data.collate.stack",
    "get_worker_info": "there is one thread, and no worker process",
}

TRANSFORMS: dict[str, str] = {
    "Compose": "a DataLoader takes a tuple of them: transforms=(...)",
    "ToTensor": "leave it out: a DataLoader gives float32 images (N, C, H, W) in 0..1",
    "Resize": "data.folder(path, size=) resizes, functional.interpolate a batch",
    "*Crop": "use PadCrop(4), or Crop",
    "RandomHorizontalFlip": "use Flip()",
    "RandomErasing": "use Cutout",
    "RandomRotation": "use Turn",
    "RandomAffine": "use Affine",
}

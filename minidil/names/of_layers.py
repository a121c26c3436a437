"""The same for torch.nn, torch.nn.init and torch.nn.utils."""

_INITIALISER = "an initialiser makes an array here: layer.weight.data = nn.init.{}(layer.weight.shape)"

LAYERS: dict[str, str] = {
    "init_": "use nn.init",
    "BCELoss": "use BCEWithLogitsLoss without the sigmoid; it cannot overflow",
    "ReLU6": "write x.clip(0, 6) in forward",
    "Hardtanh": "write x.clip(-1, 1) in forward",
    "ZeroPad*": "give the convolution its padding, or use functional.pad",
    "ConstantPad*": "use functional.pad",
    "ReflectionPad*": "only zeros and constants are padded here: functional.pad",
    "ReplicationPad*": "only zeros and constants are padded here: functional.pad",
    "CircularPad*": "only zeros and constants are padded here: functional.pad",
    "PixelShuffle": "write it with reshape and transpose in forward",
    "PixelUnshuffle": "write it with reshape and transpose in forward",
    "ChannelShuffle": "write it with reshape and transpose in forward",
    "AdaptiveMaxPool*": "for one output a plane: GlobalMaxPool",
    "Fold": "use functional.fold in forward",
    "Unfold": "use functional.unfold in forward",
    "Unflatten": "write x.reshape in forward",
    "Lazy*": "say the number of channels; model.summary shows what arrives",
    "Softmin": "write functional.softmax(-x)",
    "Softmax2d": "use functional.softmax(x, axis=1)",
    "SyncBatchNorm": "use md.parallel.synchronise(model, team)",
    "DataParallel": "use md.parallel.joined and train.fit(..., team=team)",
    "Container": "use Module",
    "Buffer": "assign an array in the module's __init__; see BatchNorm",
    "ParameterDict": "use attributes, or ModuleDict of small modules",
    "UpsamplingBilinear2d": "use functional.interpolate(x, mode='bilinear', align_corners=True)",
    "UpsamplingNearest2d": "use functional.interpolate(x, mode='nearest')",
    "LSTMCell": "use LSTM; one step is a sequence of length 1",
    "GRUCell": "use GRU; one step is a sequence of length 1",
    "TransformerEncoder": "call several TransformerEncoderLayers, one after the other",
    "TransformerDecoder*": "build it of MultiheadAttention, Linear and LayerNorm",
    "Transformer": "build it of TransformerEncoderLayer, and MultiheadAttention for the decoder",
    "RNN*": "use LSTM or GRU",
    "utils": "clip_grad_norm is in minidil.optim",
    "functional": "use minidil.functional",
    "parallel": "use md.parallel",
    "Flatten_": "use Flatten",
}

INITIALISERS: dict[str, str] = {
    **{
        f"{theirs}_{kind}{end}": _INITIALISER.format(f"{ours}_{kind}")
        for theirs, ours in (("kaiming", "he"), ("xavier", "glorot"))
        for kind in ("normal", "uniform")
        for end in ("_", "")
    },
    "dirac_": _INITIALISER.format("dirac"),
    "zeros_": "write layer.bias.data = np.zeros(layer.bias.shape, 'float32')",
    "ones_": "write layer.weight.data = np.ones(layer.weight.shape, 'float32')",
    "constant*": "write layer.bias.data = np.full(layer.bias.shape, value, 'float32')",
    "eye*": "write layer.weight.data = np.eye(n, dtype='float32')",
    "normal*": "write layer.weight.data = rng.normal(0, std, layer.weight.shape).astype('float32')",
    "uniform*": "write layer.weight.data = rng.uniform(low, high, layer.weight.shape).astype('float32')",
    "trunc_normal_": "write layer.weight.data = rng.normal(0, std, shape).clip(low, high).astype('float32')",
    "calculate_gain": "he_normal takes slope=, glorot_normal takes gain=",
    "orthogonal*": "take q of np.linalg.qr(rng.normal(size=shape))",
}

UTILITIES: dict[str, str] = {
    "rnn": "ragged sequences are padded, and layers get mask=, true where there is data",
    "clip_grad_norm_": "use optim.clip_grad_norm(parameters, max_norm)",
    "clip_grad_value_": "write p.grad = p.grad.clip(-limit, limit) for each parameter",
    "parameters_to_vector": "write functional.concatenate([p.flatten() for p in parameters])",
    "vector_to_parameters": "slice the vector and assign p.data",
}

MODULE: dict[str, str] = {
    "to": "parameters move to where minidil.use('numpy' | 'numba' | 'cuda') computes; model.astype(dtype) changes their type",
    "cuda": "minidil.use('cuda') computes on a GPU, and parameters move there",
    "cpu": "minidil.use('numba') computes on the CPU, and parameters move there",
    "half": "computing is done in float32 and float64",
    "bfloat16": "computing is done in float32 and float64",
    "float": "write model.astype('float32')",
    "double": "write model.astype('float64')",
    "type": "write model.astype(dtype)",
    "compile": "there is nothing to compile: the kernels are",
    "share_memory": "there is one process",
    "register_module": "use add_module(name, module)",
    "get_parameter": "write dict(model.named_parameters())[name]",
    "get_submodule": "write dict(model.named_modules())[name]",
    "get_buffer": "write dict(model.named_buffers())[name]",
    "register_*backward*": "use retain_grad() to keep a gradient; there are forward hooks",
    "reset_parameters": "build the layer anew: it draws its weights then",
    "reset_running_stats": "build the layer anew, or set its running_mean and running_var to arrays",
    "to_empty": "parameters have values from the start",
}

"""What of PyTorch minidil leaves out on purpose, and why: a reason, and the names (or patterns of them) that it covers."""

REASONS = {
    "nothing writes into a tensor here; use the function without the underscore, or build a new tensor": (
        "*_ index_add index_copy index_fill index_put index_reduce scatter* masked_scatter put resize* *_scatter fill "
        "set_data"
    ),
    "it is arithmetic without a gradient here; compute it with NumPy on x.numpy()": (
        "acos acosh arccos arccosh asin asinh arcsin arcsinh atan atanh atan2 arctan arctan2 arctanh cos cosh sin "
        "sinh tan sinc ceil floor floor_divide fix trunc frac fmod remainder round sign sgn signbit copysign "
        "heaviside deg2rad rad2deg frexp ldexp gcd lcm hypot nextafter fmin fmax float_power nan_to_num positive rsub "
        "isclose isfinite isinf isnan isneginf isposinf isin exp2 expm1 log10 log1p log2 logaddexp* logit xlogy "
        "true_divide lerp addcdiv addcmul logical_xor clamp_m* bitwise_* isreal"
    ),
    "it is a special function; scipy.special has it": (
        "digamma erf erfc erfinv i0 igamma igammac lgamma mvlgamma polygamma special"
    ),
    "it is linear algebra; np.linalg and scipy.linalg have it": (
        "cholesky* chain_matmul cross det eig geqrf inverse solve kron logdet lobpcg lstsq lu lu_solve lu_unpack matrix_exp "
        "matrix_power orgqr ormqr pinverse qr slogdet svd symeig triangular_solve vander vdot inner ger outer addr "
        "addbmm addmv baddbmm trace linalg *_norm norm_except_dim renorm dist cdist pdist"
    ),
    "it looks at values, orders or counts them, and has no gradient; NumPy has it for x.numpy()": (
        "aminmax argsort argwhere bincount bucketize corrcoef count_nonzero cov cummax cummin cumprod diff histc histogram* "
        "kthvalue median mode msort nanmean nanmedian nanquantile nansum nonzero* quantile searchsorted unique* "
        "is_nonzero logcumsumexp std_mean var_mean cumulative_trapezoid trapezoid trapz gradient"
    ),
    "it moves elements; index, or use reshape, transpose and concatenate": (
        "atleast_* as_strided* block_diag broadcast_tensors cartesian_prod combinations diag diag_embed diagflat "
        "diagonal dsplit hsplit vsplit fliplr flipud meshgrid repeat_interleave roll rot90 sum_to_size take_along_dim "
        "tensor_split tril* triu* unflatten unravel_index tensordot"
    ),
    "there are no complex numbers": (
        "*complex* view_as_real conj* is_conj resolve_* real imag is_neg H mH adjoint angle polar cdouble cfloat chalf"
    ),
    "there are no sparse tensors": (
        "*sparse* Sparse* coalesce is_coalesced *_indices indices values to_dense dense_dim smm sspaddmm hsmm hspmm dsmm "
        "saddmm spmm EmbeddingBag embedding_bag"
    ),
    "there are no quantised tensors": "*quantize* *quantized q_* int_repr qscheme dequantize",
    "it is signal processing; scipy.signal and scipy.fft have it": "*_window stft istft fft signal",
    "the memory order and the device are the backend's business": (
        "contiguous is_contiguous memory_format layout is_mkldnn to_mkldnn is_mps is_xpu is_xla is_ipu is_maia "
        "is_mtia is_meta is_vulkan ipu xpu mtia is_pinned pin_memory is_shared *storage nbytes const_data_ptr "
        "dim_order *_device* record_stream get_device"
    ),
    "it belongs to PyTorch's own machinery": (
        "*autocast* *deterministic* *anomaly* *interop* as_subclass grad_dtype hash_tensor is_distributed "
        "is_inference* is_nested is_set_to is_signed is_storage is_warn_always* module_load name names new output_nr "
        "register_post_* reinforce set_default_tensor_type set_flush_denormal set_warn_always "
        "*float32_matmul_precision to_padded_tensor typename volatile slice_inverse split_with_sizes unsafe_* "
        "from_file frombuffer fork wait export cond cpp random* Uninitialized* scalar_tensor segment_reduce "
        "get_device_module native_* scaled_* grouped_* LinearCrossEntropy* linear_cross_entropy dtype range logspace"
    ),
    "few networks use this activation; compose it, and its gradient follows": (
        "celu CELU elu ELU selu SELU glu GLU gumbel_softmax hardshrink Hardshrink hardsigmoid Hardsigmoid hardswish "
        "Hardswish LogSigmoid Mish prelu PReLU rrelu RReLU Softplus softshrink Softshrink Softsign Tanhshrink "
        "threshold Threshold"
    ),
    "few networks use this loss; compose it, and its gradient follows": (
        "*_embedding_loss *EmbeddingLoss ctc_loss CTCLoss gaussian_nll_loss GaussianNLLLoss kl_div KLDivLoss "
        "margin_ranking_loss MarginRankingLoss multi*margin_loss Multi*MarginLoss multilabel_* MultiLabel* "
        "poisson_nll_loss PoissonNLLLoss soft_margin_loss SoftMarginLoss triplet_margin_* TripletMargin* "
        "AdaptiveLogSoftmaxWithLoss nll_loss NLLLoss*"
    ),
    "this layer is not part of what minidil teaches": (
        "affine_grid* grid_sampl* alpha_dropout AlphaDropout feature_*dropout FeatureAlphaDropout bilinear Bilinear "
        "conv_tbc convolution constant_pad_nd CosineSimilarity CrossMapLRN2d fractional_max_pool* FractionalMaxPool* "
        "local_response_norm LocalResponseNorm LPPool* max_unpool* MaxUnpool* PairwiseDistance rms_norm RMSNorm"
    ),
    "minidil has SGD, Adam, AdamW and RMSprop; derive others from optim.Optimizer": (
        "ASGD Adadelta Adafactor Adagrad Adamax LBFGS Muon NAdam RAdam Rprop"
    ),
    "draw it with np.random.default_rng(seed)": (
        "binomial normal poisson bernoulli multinomial rand_like randint_like randn_like"
    ),
}

"""Losses, sums and what training does with them: chapters 4, 7, 8 and 12."""

from minidil.classroom.museum.mutant import Mutant

EXHIBITS = (
    Mutant(
        name="sum-wraps",
        chapter="01",
        met_in="minidil.functional.sum",
        replaces="minidil.ops.reduce.sum",
        right="x = k.astype(x, np.int64)",
        wrong='return k.astype(k.sum(x, axis=axes_of("sum", axis, x.ndim), keepdims=keepdims), x.dtype), (None,)',
        says="The sum of bytes is a byte again, and wraps around at 256. 5,000 ones add up to 136, and the mean "
        "brightness of a picture is noise.",
        origin="Candle, github.com/huggingface/candle/issues/1944.",
    ),
    Mutant(
        name="smoothing-k-1",
        chapter="07",
        met_in="minidil.functional.cross_entropy",
        replaces="minidil.kernels.reference.logits._wanted",
        right="one_hot(target, classes, logits.dtype) * (1 - label_smoothing) + label_smoothing / classes",
        wrong="""np.where(
            one_hot(target, classes, bool),
            logits.dtype.type(1 - label_smoothing),
            logits.dtype.type(label_smoothing / (classes - 1)),
        )""",
        says="The share is spread over the K - 1 other classes, where the paper spreads it over all K. With 4 "
        "classes and 0.2 the target is 0.8 instead of 0.85: the same word for another number.",
        origin="MindSpore, github.com/mindspore-ai/mindspore/issues/73, against arXiv:1512.00567, section 7.",
    ),
    Mutant(
        name="ignored-counted",
        chapter="08",
        met_in="minidil.functional.cross_entropy",
        replaces="minidil.ops.loss._counted",
        right="math.prod(labels.shape) if kept is None else int(kept.sum())",
        wrong="math.prod(labels.shape)",
        says="Targets that are to be ignored add nothing to the sum and still count in the mean. With half of the "
        "pixels ignored the loss and its gradient are half of what they should be, and pictures with a wide border "
        "weigh less.",
        origin="MMSegmentation, github.com/open-mmlab/mmsegmentation/issues/546.",
    ),
    Mutant(
        name="biased-running-var",
        chapter="06",
        met_in="minidil.nn.BatchNorm1d",
        replaces="minidil.nn.norm.BatchNorm._tracker",
        right="share * n / (n - 1)",
        wrong="share",
        says="The running variance takes the variance of the batch as it is, where it should estimate that of all "
        "data, n/(n - 1) times as much. From a batch of 2 evaluation gets half the variance, and outputs that are "
        "1.4 times too large.",
        origin="tinygrad, github.com/tinygrad/tinygrad/pull/807, and MLX, github.com/ml-explore/mlx/pull/3817.",
    ),
    Mutant(
        name="adamw-is-l2",
        chapter="07",
        met_in="minidil.optim.AdamW",
        replaces="minidil.kernels.reference.update.adamw_update",
        right="""
            decayed = (1 - lr * weight_decay) * theta if weight_decay else theta
            return adam_update(decayed, g, mean, square, step=step, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=0.0)
        """,
        wrong="""
            return adam_update(
                theta, g, mean, square, step=step, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay
            )
        """,
        says="The decay is added to the gradient, and Adam divides it by the size of the gradient like everything "
        "else. A weight of 1 whose gradient is 0 should shrink by lr x decay, 0.001, and takes a full step of lr, "
        "0.1.",
        origin="How libraries decayed weights in Adam before Loshchilov & Hutter 2019, arXiv:1711.05101, section 1.",
    ),
    Mutant(
        name="clip-each",
        chapter="07",
        met_in="minidil.optim.clip_grad_norm",
        replaces="minidil.optim.clip.clip_grad_norm",
        right="parameter.grad = Tensor.of(kernels.multiply(kernels.place(grad.data), max_norm / norm))",
        wrong="""
            own = math.sqrt(float(kernels.square_sum(kernels.place(grad.data))))
            parameter.grad = Tensor.of(kernels.multiply(kernels.place(grad.data), max_norm / max(own, max_norm)))
        """,
        says="Every parameter's gradient is cut to the limit by itself, which turns the direction of the step. "
        "Gradients of 3 and 4 cut to 1 should become 0.6 and 0.8, and become 1 and 1, of norm 1.41.",
        origin="Keras' clipnorm, github.com/keras-team/keras/issues/13575, which was given a global_clipnorm beside "
        "it.",
    ),
    Mutant(
        name="warmup-from-zero",
        chapter="07",
        met_in="minidil.schedule.Warmup",
        replaces="minidil.schedule.Warmup.factor",
        right="return self.then.factor(0) * (step + 1) / (self.steps + 1)",
        wrong="return self.then.factor(0) * step / self.steps",
        says="The first step of the warm-up has the learning rate 0: the whole batch is computed and nothing moves, "
        "but the averages of Adam have counted it. Of four steps the rates should be 1/5, 2/5, 3/5, 4/5.",
        origin="BERT, github.com/google-research/bert/issues/1293, and others since.",
    ),
    Mutant(
        name="mean-of-means",
        chapter="07",
        met_in="minidil.train.evaluate",
        replaces="minidil.train.metrics.Sums.add",
        right="""
            self.loss += loss * count
            self.count += count
        """,
        wrong="""
            self.loss += loss
            self.count += 1
        """,
        says="The loss of a data set is the mean over its batches, and the last one is smaller. A batch of 4 with "
        "loss 1 and one of 1 with loss 6 make 2 a target, and this says 3.5.",
        origin="nolearn, github.com/dnouri/nolearn/pull/248; a tutorial of PyTorch's divides by the number of "
        "batches, github.com/pytorch/tutorials/issues/2811.",
    ),
    Mutant(
        name="no-zero-grad",
        chapter="07",
        met_in="minidil.train.learn",
        replaces="minidil.train.step.learn",
        right="optimizer.zero_grad()",
        wrong="pass",
        says="The gradients of all batches so far are added up, so that every step goes where the first ones went: "
        "two steps of 1 down a slope of 1 end at -3 instead of -2. The first step is right, which is all that many "
        "tests look at.",
        origin="The article that this library grew from, section 5.2, whose loop has no zero_grad; "
        "github.com/udacity/deep-learning-v2-pytorch/pull/160 adds it to a course.",
    ),
)

"""Kernels: what they read, what they write, and what they make of numbers that are none. Chapters 3, 4, 6 and 9."""

from minidil.classroom.museum.mutant import Mutant

EXHIBITS = (
    Mutant(
        name="im2col-layout",
        chapter="03",
        met_in="minidil.functional.conv",
        replaces="minidil.kernels.reference.conv.patches",
        right="np.pad(x, ((0, 0), (0, 0), *window.padding), constant_values=fill) if any(map(any, window.padding)) else x",
        wrong="""(
            np.pad(x, ((0, 0), (0, 0), *window.padding), constant_values=fill)
            if any(map(any, window.padding))
            else x.ravel(order="K").reshape(x.shape)
        )""",
        says="The memory is read as it lies, which is wrong as soon as somebody hands in a transposed view. Of 0, 1, "
        "2 over 3, 4, 5, transposed to 0, 3 over 1, 4 over 2, 5, it reads 0, 1 over 2, 3 over 4, 5; a layer with "
        "padding copies first, and hides it.",
        origin="A kernel that trusts the stride of the last axis alone: "
        "github.com/NVIDIA/TransformerEngine/issues/2734, found in a loss; any kernel written with bare offsets can "
        "have it.",
    ),
    Mutant(
        name="col2im-assign",
        chapter="03",
        met_in="minidil.functional.conv",
        replaces="minidil.kernels.reference.conv.col2im",
        right="padded[touched(tap, window)] += spread[(slice(None), slice(None), *tap)]",
        wrong="padded[touched(tap, window)] = spread[(slice(None), slice(None), *tap)]",
        says="Where windows overlap the last one wins, and the gradients of the others are lost. The forward pass is "
        "right, and so is every gradient whose stride is at least the span; with 3 ones over 5 inputs the middle "
        "input gets 1 instead of 3.",
        origin="A reader's proposal for the col2im of 'Deep Learning from Scratch', with a test that only = passes: "
        "github.com/oreilly-japan/deep-learning-from-scratch/issues/27.",
    ),
    Mutant(
        name="indexed-twice",
        chapter="05",
        met_in="minidil.Tensor.__getitem__",
        replaces="minidil.kernels.reference.gather.scatter_add",
        right="np.add.at(out, index, grad)",
        wrong="out[index] += grad",
        says="NumPy's += through an index adds once to an element that is named twice. So x[[0, 0, 2]] gives x[0] "
        "the gradient 1 instead of 2, which is what happens to every word that occurs twice in a sentence.",
        origin="PyTorch 0.1, github.com/pytorch/pytorch/issues/1528, and autograd before its issue 39, as told in "
        "github.com/HIPS/autograd/pull/136.",
    ),
    Mutant(
        name="pool-pads-zero",
        chapter="04",
        met_in="minidil.functional.max_pool",
        replaces="minidil.kernels.reference.pool.max_pool",
        right='fill = -np.inf if x.dtype.kind == "f" else False if x.dtype == bool else np.iinfo(x.dtype).min',
        wrong="fill = 0",
        says="The padding of a max pooling takes part with zeros, and wins wherever all taps are negative. A map of "
        "-1 with padding 1 comes out with a border of 0, behind a ReLU nobody notices, and its border learns "
        "nothing.",
        origin="github.com/zylo117/Yet-Another-EfficientDet-Pytorch/pull/352, and the expectation in "
        "github.com/uxlfoundation/oneDNN/issues/1094.",
    ),
    Mutant(
        name="relu-hides-nan",
        chapter="04",
        met_in="minidil.functional.relu",
        replaces="minidil.kernels.reference.elementwise.relu",
        right="np.maximum(x, 0)",
        wrong="np.where(x > 0, x, x.dtype.type(0))",
        says="NaN > 0 is false, so this ReLU turns a NaN into 0. A network whose first layer has diverged goes on "
        "with finite numbers and a finite loss.",
        origin="PyTorch 0.4, github.com/pytorch/pytorch/issues/7999, and MXNet, github.com/apache/mxnet/issues/11115.",
    ),
    Mutant(
        name="gelu-at-infinity",
        chapter="04",
        met_in="minidil.functional.gelu",
        replaces="minidil.kernels.reference.elementwise.gelu_grad",
        right="near = np.clip(x, -NORMAL_ENDS, NORMAL_ENDS)",
        wrong="near = x",
        says="The slope of GELU is P(Z <= x) + x phi(x), and far out the second term is infinity times 0, which is "
        "NaN. The limits are 0 on the left and 1 on the right.",
        origin="The same product in the value: PyTorch, github.com/pytorch/pytorch/issues/185770; in the slope: a "
        "review of github.com/ooples/AiDotNet.Tensors/pull/355.",
    ),
    Mutant(
        name="log-of-softmax",
        chapter="04",
        met_in="minidil.functional.log_softmax",
        replaces="minidil.kernels.reference.logits.log_softmax",
        right="np.subtract(shifted, np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True)))",
        wrong="np.log(softmax(x, axis))",
        says="The logarithm is taken of probabilities that have already been rounded to 0. Logits 0 and 1000 give "
        "minus infinity instead of -1000, and a confident mistake costs an infinite loss.",
        origin="Burn, github.com/tracel-ai/burn/issues/315.",
    ),
    Mutant(
        name="winograd-nan",
        chapter="09",
        met_in="minidil.functional.conv",
        replaces="minidil.kernels.reference.conv.conv_forward",
        right="y = np.matmul(weight.reshape(groups, f // groups, -1), cols).reshape(n, f, *window.out)",
        wrong="""
            from minidil.classroom.museum.winograd import by_tiles, fits

            if fits(window, groups):
                y = by_tiles(x, weight, window)
            else:
                y = np.matmul(weight.reshape(groups, f // groups, -1), cols).reshape(n, f, *window.out)
        """,
        says="Winograd's tiles mix six inputs into every product and take the sums apart again, which is right for "
        "numbers only. One NaN, the sixth of 16 inputs, should spoil the 3 outputs that see it, and spoils 8, all of "
        "the two tiles that it lies in.",
        origin="It follows from the algorithm, Lavin & Gray 2015, arXiv:1509.09308; this library's own fast kernels "
        "did it until they learnt to fall back (tests/kernels/test_non_finite.py).",
    ),
)

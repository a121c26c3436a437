"""Gradients, and the checks that are to find mistakes in them: chapters 4, 5 and 6."""

from minidil.classroom.museum.mutant import Mutant

EXHIBITS = (
    Mutant(
        name="reused-node",
        chapter="05",
        met_in="minidil.Tensor.backward",
        replaces="minidil.graph.propagate",
        right="arrived[target] = contribution if before is None else total(node.kernels, before, contribution)",
        wrong="arrived[target] = contribution",
        says="A value that is used twice gets the gradient of one of its uses, and not the sum. x * x has the slope "
        "x instead of 2 x; chains, in which everything is used once, are right.",
        origin="The engine exercise of the ARENA course, whose tests all passed with it, "
        "github.com/callummcdougall/ARENA_2.0/pull/18; micrograd had a mistake of this kind in its first days, "
        "github.com/karpathy/micrograd/issues/2.",
    ),
    Mutant(
        name="broadcast-mean",
        chapter="04",
        met_in="minidil.functional.add",
        replaces="minidil.ops.common.sum_to",
        right="kernels.sum(grad, axis=(*range(new), *repeated))",
        wrong="kernels.mean(grad, axis=(*range(new), *repeated))",
        says="What was repeated gets the mean of the gradients of its copies, where the chain rule wants the sum. "
        "The shape is right; a bias that is added to a batch of 4 learns at a quarter of its rate.",
        origin="A library that takes np.mean here is pointed out in github.com/jimfleming/differentiation/issues/1.",
    ),
    Mutant(
        name="constant-moments",
        chapter="04",
        met_in="minidil.functional.batch_norm",
        replaces="minidil.ops.norm.batch_norm",
        right="""
            if not training:
                return k.channel_affine(slope, scale, k.multiply(scale, 0))
        """,
        wrong="return k.channel_affine(slope, scale, k.multiply(scale, 0))",
        says="The gradient takes mean and variance of the batch for constants, although every input moves both. The "
        "right one adds up to 0 in every channel, since adding a constant to the inputs changes nothing; this one "
        "does not.",
        origin="CrypTen, github.com/facebookresearch/CrypTen/pull/143, whose test failed to ask for training mode, "
        "and passed.",
    ),
    Mutant(
        name="layer-norm-std",
        chapter="04",
        met_in="minidil.functional.layer_norm",
        replaces="minidil.ops.norm.layer_norm",
        right="y, mean, inverse = k.row_normalise(rows, factors, shifts, eps)",
        wrong="""
            mean = k.mean(rows, axis=1)
            centred = k.subtract(rows, k.reshape(mean, (-1, 1)))
            variance = k.divide(k.sum(k.multiply(centred, centred), axis=1), max(length - 1, 1))
            inverse = k.divide(1.0, k.add(k.sqrt(variance), eps))
            y = k.multiply(centred, k.reshape(inverse, (-1, 1)))
            y = y if factors is None else k.multiply(y, factors)
            y = y if shifts is None else k.add(y, shifts)
        """,
        says="It divides by the standard deviation with n - 1, plus epsilon, where the paper has the root of "
        "variance plus epsilon. 1, 0, 0, 0 becomes 1.5, -0.5, -0.5, -0.5 instead of 1.732, -0.577, -0.577, -0.577; "
        "and the gradient is no longer that of the value.",
        origin="The Annotated Transformer and what was copied from it: github.com/codertimo/BERT-pytorch/issues/30, "
        "github.com/harvardnlp/annotated-transformer/pull/119.",
    ),
    Mutant(
        name="gradcheck-float32",
        chapter="04",
        met_in="minidil.testing.check_gradients",
        replaces="minidil.testing.check_gradients",
        right="""
            def loss(number: int, shift: Float64) -> float:
                moved = [leaf.numpy() + shift if i == number else leaf for i, leaf in enumerate(leaves)]
                with no_grad():
                    return float(np.sum(weighting * function(*map(tensor, moved), **options).numpy()))
        """,
        wrong="""
            def loss(number: int, shift: Float64) -> float:
                moved = [leaf.numpy() + shift if i == number else leaf.numpy() for i, leaf in enumerate(leaves)]
                moved = [each.astype(np.float32) for each in moved]
                with no_grad():
                    return float(np.sum(weighting * function(*map(tensor, moved), **options).numpy()))
        """,
        says="The difference of two values that agree in six digits is taken in numbers that have seven. The check "
        "refuses gradients that are right: for x^2 it is off by a few per cent at the usual step of 1e-6.",
        origin="PyTorch's gradcheck forced float32 for some time, github.com/pytorch/pytorch/issues/8175; users "
        "still fall for it, github.com/pytorch/pytorch/issues/5351.",
    ),
    Mutant(
        name="gradcheck-nan",
        chapter="04",
        met_in="minidil.testing.check_gradients",
        replaces="minidil.testing.check_gradients",
        right="not abs(expected - found) <= allowed",
        wrong="abs(expected - found) > allowed",
        says="No comparison with NaN is true, so the check that asks 'is the error too large?' finds nothing wrong "
        "with a gradient of NaN. The question has to be whether the error is small.",
        origin="nGraph's comparison of arrays let NaN pass; with a look for it eight tests failed, among them that of a "
        "gradient, github.com/NervanaSystems/ngraph/pull/2028. Liger Kernel's, "
        "github.com/linkedin/Liger-Kernel/issues/259, asks whether the error is larger, as here.",
    ),
    Mutant(
        name="gradcheck-unseeded",
        chapter="04",
        met_in="minidil.testing.check_gradients",
        replaces="minidil.testing.check_gradients",
        right="rng = np.random.default_rng(0) if rng is None else rng",
        wrong="rng = np.random.default_rng() if rng is None else rng",
        says="The directions of the check are drawn anew in every run. A gradient that is wrong in few places is "
        "found on Monday and not on Tuesday, and a report of it cannot be repeated.",
        origin="Flaky tests of gradients in ONNX Runtime, github.com/microsoft/onnxruntime/pull/15515, and in "
        "TinyTorch, where 148 of 500 runs failed, github.com/harvard-edge/cs249r_book/pull/2069.",
    ),
)

"""Where taps fall, how many outputs fit, and what a stack of layers sees: chapters 2, 3 and 11."""

from minidil.classroom.museum.mutant import Mutant

EXHIBITS = (
    Mutant(
        name="span-kd",
        chapter="02",
        met_in="minidil.functional.conv",
        replaces="minidil.kernels.geometry.Window.span",
        right="d * (k - 1) + 1",
        wrong="d * k",
        says="K taps have K - 1 gaps between them, and this counts K. A kernel of 3 with dilation 2 is said to span "
        "6 positions instead of 5, so that 9 inputs give 4 outputs instead of 5.",
        origin="The article that this library grew from, sections 3.1 and 4.1: a dilated kernel of m dil x m dil.",
    ),
    Mutant(
        name="dilation-zero",
        chapter="02",
        met_in="minidil.functional.conv",
        replaces="minidil.kernels.geometry.Window.of",
        right='per_axis(dilation, len(size), "dilation", op, least=1)',
        wrong='per_axis(dilation, len(size), "dilation", op, least=0)',
        says="Who counts the positions left out writes d = 0 for an ordinary convolution, and is not told that here "
        "it is d = 1. With d = 0 all taps fall on the same input: 1, 2, 3 under a kernel of three ones becomes 3, 6, "
        "9 instead of one 6.",
        origin="Two conventions are in use. Stanford's CS231n notes (cs231n.github.io/convolutional-networks, "
        "'dilation of 0') and oneDNN (github.com/uxlfoundation/oneDNN/issues/438) count the positions left out; "
        "PyTorch and the papers count steps.",
    ),
    Mutant(
        name="just-fits",
        chapter="03",
        met_in="minidil.functional.conv",
        replaces="minidil.kernels.geometry.Window._check",
        right="missing = span - (n + before + after)",
        wrong="missing = k * d - (n + before + after)",
        says="The size of the output is right, and yet an input that the dilated kernel only just fits is refused. A "
        "kernel of 2 with dilation 3 spans 4 positions, and an input of 5 is turned away.",
        origin="MyGrad's sliding_window_view, which compares w * d with the size although its output size is right "
        "(github.com/rsokl/MyGrad, src/mygrad/nnet/layers/utils.py).",
    ),
    Mutant(
        name="same-undilated",
        chapter="02",
        met_in="minidil.functional.conv",
        replaces="minidil.kernels.geometry._named_padding",
        right="zip(size, stride, spans, strict=True)",
        wrong="zip(size, stride, kernel, strict=True)",
        says='Padding "same" is reckoned from the taps and not from what they span, which is the same as long as '
        "the dilation is 1. With 3 taps and dilation 4 an input of 16 comes out as 10.",
        origin="Several converters and libraries, such as github.com/dmlc/nnvm/issues/307 and "
        "github.com/huggingface/pytorch-image-models/pull/2779.",
    ),
    Mutant(
        name="causal-halved",
        chapter="02",
        met_in="minidil.functional.conv",
        replaces="minidil.kernels.geometry._named_padding",
        right="tuple((span - 1, 0) for span in spans)",
        wrong="tuple((span // 2, (span - 1) // 2) for span in spans)",
        says="A causal layer needs all of its padding in front; this one puts half of it there, (K - 1)/2 steps. An "
        "output of a kernel of 3 then sees one step of the future, and a network that is to predict it learns to "
        "copy.",
        origin="An answer to a question about the code of the TCN paper, github.com/locuslab/TCN/issues/12, doubted "
        "there at once.",
    ),
    Mutant(
        name="pool-ceil",
        chapter="03",
        met_in="minidil.functional.max_pool",
        replaces="minidil.ops.pool._window",
        right="ceil_mode",
        wrong="True",
        says="Convolutions round the number of outputs down and this pooling rounds it up, so that two branches that "
        "should be put together no longer fit. Windows of 3 with stride 2 on 6 inputs give 3 outputs instead of 2.",
        origin="Caffe, github.com/BVLC/caffe/issues/1318; it had to stay possible for the networks that exist "
        "(issues/4773).",
    ),
    Mutant(
        name="field-largest",
        chapter="11",
        met_in="minidil.nn.Module.summary",
        replaces="minidil.nn.field.Field.through",
        right="size = tuple(r + (span - 1) * j for r, span, j in zip(self.size, window.span, self.jump, strict=True))",
        wrong="""
            size = tuple(
                max(r, k * d * j)
                for r, k, d, j in zip(self.size, window.kernel, window.dilation, self.jump, strict=True)
            )
        """,
        says="The receptive field is taken to be K times the largest dilation, as if the other layers saw nothing "
        "more. Four layers of 8 taps with dilations 1, 2, 4, 8 are said to see 64 positions, and see 106.",
        origin="keras-tcn, which reckoned kernel size x largest dilation x stacks: "
        "github.com/philipperemy/keras-tcn/issues/8, changed in pull/180.",
    ),
    Mutant(
        name="hdc-first-rate",
        chapter="11",
        met_in="minidil.analysis.hdc_accepts",
        replaces="minidil.analysis.schedule.hdc_accepts",
        right="min(dilations) == 1 and (len(dilations) == 1 or hdc_distance(dilations, kernel_size) <= kernel_size)",
        wrong="len(dilations) == 1 or hdc_distance(dilations, kernel_size) <= kernel_size",
        says="The rule M_2 <= K is quoted without the condition that the smallest rate is 1, and it never looks at "
        "the first rate. It accepts (2, 2, 2), a stack that sees 7 of the 13 positions of its field.",
        origin="Wang et al. 2018, arXiv:1702.08502, section 3.2, equation 2, read as it stands; chapter 2, section "
        "11.8.",
    ),
)

"""The operators: ONNX's, one file per family, each with its kernel and its gradient rule.

A function has the snake_case name of its operator. The written exceptions are `matmul`, `cumsum`, `isnan`,
`isinf`, and what Python keeps for itself: `and_`, `or_`, `not_`, `if_`.
"""

from trainer.core.allocation import keep_freed_memory
from trainer.ops import convolution_gradient, recurrent_gradient  # noqa: F401  (rules, no functions)
from trainer.ops.activation import (
    gelu,
    hard_sigmoid,
    hard_swish,
    mish,
    sigmoid,
    softplus,
    softsign,
    tanh,
)
from trainer.ops.arithmetic import (
    abs,
    add,
    div,
    mean,
    mod,
    mul,
    neg,
    reciprocal,
    sign,
    sub,
    sum,
)
from trainer.ops.batch_statistics import (
    batch_normalization,
)
from trainer.ops.casting import (
    cast,
    cast_like,
)
from trainer.ops.classical import tokenizer, zip_map
from trainer.ops.comparison import (
    equal,
    greater,
    greater_or_equal,
    isinf,
    isnan,
    less,
    less_or_equal,
)
from trainer.ops.contraction import (
    einsum,
)
from trainer.ops.control import (
    if_,
    loop,
    scan,
    sequence_map,
)
from trainer.ops.convolution import (
    conv,
    conv_transpose,
)
from trainer.ops.creation import (
    constant,
    constant_of_shape,
    eye_like,
    range,
    shape,
    size,
)
from trainer.ops.detection import (
    non_max_suppression,
)
from trainer.ops.exponential import (
    erf,
    exp,
    log,
    pow,
    sqrt,
)
from trainer.ops.extremum import (
    clip,
    max,
    min,
)
from trainer.ops.global_pooling import (
    global_average_pool,
    global_lp_pool,
    global_max_pool,
)
from trainer.ops.indexing import (
    compress,
    gather,
    gather_elements,
    gather_nd,
    non_zero,
    one_hot,
    unique,
)
from trainer.ops.linalg import det, gemm, matmul, matmul_integer, trilu
from trainer.ops.logic import (
    and_,
    bit_shift,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    not_,
    or_,
    xor,
)
from trainer.ops.loss import (
    negative_log_likelihood_loss,
    softmax_cross_entropy_loss,
)
from trainer.ops.max_pooling import (
    max_pool,
    max_unpool,
)
from trainer.ops.normalization import (
    group_normalization,
    instance_normalization,
    layer_normalization,
    mean_variance_normalization,
)
from trainer.ops.pooling import (
    average_pool,
    lp_pool,
)
from trainer.ops.probability import (
    hardmax,
    log_softmax,
    softmax,
)
from trainer.ops.quantization import (
    dequantize_linear,
    dynamic_quantize_linear,
    quantize_linear,
)
from trainer.ops.ranking import (
    arg_max,
    arg_min,
    reduce_max,
    reduce_min,
    top_k,
)
from trainer.ops.rearranging import (
    depth_to_space,
    reverse_sequence,
    space_to_depth,
)
from trainer.ops.rectifier import (
    celu,
    elu,
    leaky_relu,
    p_relu,
    relu,
    selu,
    shrink,
    thresholded_relu,
)
from trainer.ops.recurrent import (
    gru,
    lstm,
    rnn,
)
from trainer.ops.reduction import (
    cumsum,
    reduce_l1,
    reduce_l2,
    reduce_log_sum,
    reduce_log_sum_exp,
    reduce_mean,
    reduce_prod,
    reduce_sum,
    reduce_sum_square,
)
from trainer.ops.regularization import (
    dropout,
)
from trainer.ops.rescaling import (
    lp_normalization,
    lrn,
)
from trainer.ops.resizing import (
    resize,
)
from trainer.ops.rounding import (
    ceil,
    floor,
    round,
)
from trainer.ops.sampling import (
    affine_grid,
    grid_sample,
)
from trainer.ops.scattering import (
    scatter_elements,
    scatter_nd,
)
from trainer.ops.selection import (
    where,
)
from trainer.ops.sequence import (
    concat_from_sequence,
    optional,
    optional_get_element,
    optional_has_element,
    sequence_at,
    sequence_construct,
    sequence_empty,
    sequence_erase,
    sequence_insert,
    sequence_length,
    split_to_sequence,
)
from trainer.ops.shaping import (
    concat,
    expand,
    flatten,
    identity,
    reshape,
    split,
    squeeze,
    tile,
    transpose,
    unsqueeze,
)
from trainer.ops.slicing import (
    center_crop_pad,
    pad,
    slice,
)
from trainer.ops.trigonometry import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    cos,
    cosh,
    sin,
    sinh,
    tan,
)

keep_freed_memory()

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "affine_grid",
    "and_",
    "arg_max",
    "arg_min",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "average_pool",
    "batch_normalization",
    "bit_shift",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "cast",
    "cast_like",
    "ceil",
    "celu",
    "center_crop_pad",
    "clip",
    "compress",
    "concat",
    "concat_from_sequence",
    "constant",
    "constant_of_shape",
    "conv",
    "conv_transpose",
    "cos",
    "cosh",
    "cumsum",
    "depth_to_space",
    "det",
    "dequantize_linear",
    "div",
    "dropout",
    "dynamic_quantize_linear",
    "einsum",
    "elu",
    "equal",
    "erf",
    "exp",
    "expand",
    "eye_like",
    "flatten",
    "floor",
    "gather",
    "gather_elements",
    "gather_nd",
    "gelu",
    "gemm",
    "global_average_pool",
    "global_lp_pool",
    "global_max_pool",
    "greater",
    "greater_or_equal",
    "grid_sample",
    "group_normalization",
    "gru",
    "hard_sigmoid",
    "hard_swish",
    "hardmax",
    "identity",
    "if_",
    "instance_normalization",
    "isinf",
    "isnan",
    "layer_normalization",
    "leaky_relu",
    "less",
    "less_or_equal",
    "log",
    "log_softmax",
    "loop",
    "lp_normalization",
    "lp_pool",
    "lrn",
    "lstm",
    "matmul",
    "matmul_integer",
    "max",
    "max_pool",
    "max_unpool",
    "mean",
    "mean_variance_normalization",
    "min",
    "mish",
    "mod",
    "mul",
    "neg",
    "negative_log_likelihood_loss",
    "non_max_suppression",
    "non_zero",
    "not_",
    "one_hot",
    "optional",
    "optional_get_element",
    "optional_has_element",
    "or_",
    "p_relu",
    "pad",
    "pow",
    "quantize_linear",
    "range",
    "reciprocal",
    "reduce_l1",
    "reduce_l2",
    "reduce_log_sum",
    "reduce_log_sum_exp",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_sum",
    "reduce_sum_square",
    "relu",
    "reshape",
    "resize",
    "reverse_sequence",
    "rnn",
    "round",
    "scan",
    "scatter_elements",
    "scatter_nd",
    "selu",
    "sequence_at",
    "sequence_construct",
    "sequence_empty",
    "sequence_erase",
    "sequence_insert",
    "sequence_length",
    "sequence_map",
    "shape",
    "shrink",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "size",
    "slice",
    "softmax",
    "softmax_cross_entropy_loss",
    "softplus",
    "softsign",
    "space_to_depth",
    "split",
    "split_to_sequence",
    "sqrt",
    "squeeze",
    "sub",
    "sum",
    "tan",
    "tanh",
    "thresholded_relu",
    "tile",
    "tokenizer",
    "top_k",
    "transpose",
    "trilu",
    "unique",
    "unsqueeze",
    "where",
    "xor",
    "zip_map",
]

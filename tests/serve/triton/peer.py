"""The models of the tests on a real Triton Inference Server, to ask both servers the same.

PyTriton (`nvidia-pytriton`) brings Triton's own binary, whose HTTP front end answers. These models compute
in numpy what the graphs of the same names in `tests/serve/models.py` compute. Run it with an
interpreter that has PyTriton: `python tests/serve/triton/peer.py PORT`.
"""

import sys
from typing import Any

import numpy as np

NUMBERS = {
    "double": np.float64,
    "float16": np.float16,
    "int8": np.int8,
    "int64": np.int64,
    "bool": np.bool_,
}
WEIGHTS = np.array([[1, 2], [3, 4], [5, 6]], np.float32)


def linear(x: Any) -> dict[str, Any]:
    return {"y": x @ WEIGHTS}


def sum_and_difference(a: Any, b: Any) -> dict[str, Any]:
    return {"sum": a + b, "difference": a - b}


def same_text(text: Any) -> dict[str, Any]:
    return {"same": text}


def same(x: Any) -> dict[str, Any]:
    return {"y": x}


def main(port: int) -> None:
    from pytriton.model_config import ModelConfig, Tensor
    from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig

    def tensor(name: str, dtype: Any, *more: int) -> Any:
        return Tensor(name=name, dtype=dtype, shape=(-1, *more))

    config = TritonConfig(http_port=port, grpc_port=port + 1, metrics_port=port + 2)
    open_ = TritonSecurityConfig(restricted_endpoints=[])
    with Triton(config=config, security_config=open_) as triton:

        def bind(name: str, compute: Any, inputs: list[Any], outputs: list[Any]) -> None:
            def run(requests: Any) -> list[Any]:
                return [compute(**request.data) for request in requests]

            triton.bind(name, run, inputs, outputs, config=ModelConfig(batching=False), strict=True)

        f4, text = np.float32, np.bytes_
        bind("linear", linear, [tensor("x", f4, 3)], [tensor("y", f4, 2)])
        pair = [tensor("a", f4), tensor("b", f4)], [tensor("sum", f4), tensor("difference", f4)]
        bind("sum_and_difference", sum_and_difference, *pair)
        bind("text", same_text, [tensor("text", text)], [tensor("same", text)])
        for name, dtype in NUMBERS.items():
            bind(name, same, [tensor("x", dtype)], [tensor("y", dtype)])
        triton.serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))

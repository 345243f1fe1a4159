"""Triton with its Python backend, by PyTriton: `@batch` joins requests, as its quick start has it.

Run: python triton_server.py MODEL PORT GRPC_PORT METRICS_PORT
"""

import sys

import numpy as np
import onnxruntime
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])


@batch
def infer(x):
    return session.run(None, {"x": x})


if __name__ == "__main__":
    port, grpc_port, metrics_port = map(int, sys.argv[2:])
    ports = {"http_port": port, "grpc_port": grpc_port, "metrics_port": metrics_port}
    with Triton(config=TritonConfig(http_address="127.0.0.1", **ports)) as triton:
        triton.bind(
            model_name="mlp",
            infer_func=infer,
            inputs=[Tensor(name="x", dtype=np.float32, shape=(784,))],
            outputs=[Tensor(name="y", dtype=np.float32, shape=(10,))],
            config=ModelConfig(max_batch_size=64),
        )
        triton.serve()

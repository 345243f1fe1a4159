"""FastAPI around ONNX Runtime as its tutorial writes it: a pydantic body, a list back.

Run: python fastapi_server.py MODEL PORT
"""

import sys

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
app = FastAPI()


class Examples(BaseModel):
    instances: list


@app.post("/predict")
def predict(body: Examples):
    (y,) = session.run(None, {"x": np.array(body.instances, np.float32)})
    return {"predictions": y.tolist()}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)

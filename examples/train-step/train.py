"""Goes on training from train_step.onnx, with onnxruntime and numpy alone.

    python train.py RUN ROWS.npz LR STEPS

RUN is a folder with `train_step.onnx` and `checkpoint.safetensors`; ROWS.npz holds a batch, `x` and `y`, that
each step learns from. Prints the losses and writes `RUN/continued.safetensors`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

DTYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64}
DRAWS = {"uniform": np.random.random_sample, "normal": np.random.standard_normal}

folder, lr, steps = Path(sys.argv[1]), float(sys.argv[3]), int(sys.argv[4])
session = onnxruntime.InferenceSession(folder / "train_step.onnx")
names = json.loads(session.get_modelmeta().custom_metadata_map["tapeline.train_step"])
rows = np.load(sys.argv[2])

# A safetensors file is the length of a header, the header as JSON, and the tensors one after another.
content = (folder / "checkpoint.safetensors").read_bytes()
start = 8 + int.from_bytes(content[:8], "little")
header = json.loads(content[8:start])
state = {}
for name in [*names["state"], *names["fixed"]]:
    begin, end = header[name]["data_offsets"]
    values = np.frombuffer(content[start + begin : start + end], DTYPES[header[name]["dtype"]])
    state[name] = values.reshape(header[name]["shape"])

for _ in range(steps):
    feed = {**state, "lr": np.array(lr), "x": rows["x"], "y": rows["y"]}
    for one in session.get_inputs():
        if one.name in names["draws"]:
            shape = [len(rows["x"]) if size == "batch" else size for size in one.shape]
            feed[one.name] = DRAWS[names["draws"][one.name]](shape).astype(np.float32)
    loss, *new = session.run(["loss", *names["state"].values()], feed)
    state |= zip(names["state"], new, strict=True)
    print(loss)

places, size = {}, 0
for name, array in state.items():
    places[name] = {**header[name], "data_offsets": [size, size + array.nbytes]}
    size += array.nbytes
text = json.dumps(places).encode()
body = b"".join(array.tobytes() for array in state.values())
(folder / "continued.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + body)

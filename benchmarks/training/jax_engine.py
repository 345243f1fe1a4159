"""The workloads in JAX, as its users write them: pure functions of a dict of parameters, jit, optax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import optax
from jax import lax
from jax import numpy as jnp

from benchmarks.training.workloads import MLPS, WORKLOADS, initial

Params = Mapping[str, Any]


def linear(p: Params, name: str, x: Any) -> Any:
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def convolution(p: Params, name: str, x: Any, stride: int = 1, padding: int = 0) -> Any:
    y = lax.conv_general_dilated(x, p[f"{name}.weight"], (stride, stride), [(padding, padding)] * 2)
    bias = p.get(f"{name}.bias")
    return y if bias is None else y + bias[:, None, None]


def batch_norm(p: Params, name: str, x: Any, running: dict[str, Any]) -> Any:
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
    count = x.size // x.shape[1]
    for key, now in (("mean", mean), ("var", var * count / (count - 1))):
        running[f"{name}.{key}"] = 0.9 * running[f"{name}.{key}"] + 0.1 * lax.stop_gradient(now)
    scale = p[f"{name}.weight"] * lax.rsqrt(var + 1e-5)
    return (x - mean[:, None, None]) * scale[:, None, None] + p[f"{name}.bias"][:, None, None]


def layer_norm(p: Params, name: str, x: Any) -> Any:
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(var + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def pool(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def mlp(p: Params, x: Any, _running: dict[str, Any]) -> Any:
    layers = sorted({int(name.split(".")[0]) for name in p})
    for layer in layers[:-1]:
        x = jax.nn.relu(linear(p, str(layer), x))
    return linear(p, str(layers[-1]), x)


def lenet(p: Params, x: Any, _running: dict[str, Any]) -> Any:
    x = pool(jax.nn.relu(convolution(p, "0", x, padding=2)))
    x = pool(jax.nn.relu(convolution(p, "3", x)))
    x = x.reshape(len(x), -1)
    return linear(p, "11", jax.nn.relu(linear(p, "9", jax.nn.relu(linear(p, "7", x)))))


def resnet(p: Params, x: Any, running: dict[str, Any]) -> Any:
    x = jax.nn.relu(batch_norm(p, "norm", convolution(p, "stem", x, padding=1), running))
    for name, stride in (("blocks.0", 1), ("blocks.1", 2), ("blocks.2", 2)):
        y = convolution(p, f"{name}.first", x, stride, 1)
        y = jax.nn.relu(batch_norm(p, f"{name}.first_norm", y, running))
        y = batch_norm(
            p, f"{name}.second_norm", convolution(p, f"{name}.second", y, padding=1), running
        )
        x = jax.nn.relu(y + (x if stride == 1 else convolution(p, f"{name}.around", x, stride)))
    return linear(p, "head", x.mean((2, 3)))


def gpt(p: Params, x: Any, _running: dict[str, Any]) -> Any:
    y = p["tokens"][x] + p["places"]
    rows, length, width = y.shape
    for layer in range(4):
        name = f"blocks.{layer}"
        qkv = linear(p, f"{name}.qkv", layer_norm(p, f"{name}.before_attention", y))
        q, k, v = jnp.moveaxis(qkv.reshape(rows, length, 3, 4, width // 4), 2, 0)
        mixed = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        y = y + linear(p, f"{name}.out", mixed.reshape(rows, length, width))
        up = linear(p, f"{name}.up", layer_norm(p, f"{name}.before_forward", y))
        y = y + linear(p, f"{name}.down", jax.nn.gelu(up, approximate=False))
    return jnp.swapaxes(linear(p, "head", layer_norm(p, "norm", y)), 1, 2)


def lstm(p: Params, x: Any, _running: dict[str, Any]) -> Any:
    into = x @ p["lstm.weight_ih_l0"].T + p["lstm.bias_ih_l0"] + p["lstm.bias_hh_l0"]

    def cell(carried: Any, gates: Any) -> Any:
        h, c = carried
        i, f, g, o = jnp.split(gates + h @ p["lstm.weight_hh_l0"].T, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), None

    zero = jnp.zeros((len(x), 128), x.dtype)
    (h, _), _ = lax.scan(cell, (zero, zero), jnp.swapaxes(into, 0, 1))
    return linear(p, "head", h)


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """The parameters by name; the names decide the initial values."""
    made: dict[str, tuple[int, ...]] = {}

    def dense(key: str, inputs: int, outputs: int) -> None:
        made[f"{key}.weight"], made[f"{key}.bias"] = (outputs, inputs), (outputs,)

    def norm(key: str, size: int) -> None:
        made[f"{key}.weight"] = made[f"{key}.bias"] = (size,)

    if name in MLPS:
        for layer, (inputs, outputs) in enumerate(zip(MLPS[name], MLPS[name][1:], strict=False)):
            dense(str(2 * layer), inputs, outputs)
    elif name == "lenet":
        made = {
            "0.weight": (6, 1, 5, 5),
            "0.bias": (6,),
            "3.weight": (16, 6, 5, 5),
            "3.bias": (16,),
        }
        dense("7", 400, 120)
        dense("9", 120, 84)
        dense("11", 84, 10)
    elif name == "resnet":
        made["stem.weight"] = (16, 3, 3, 3)
        norm("norm", 16)
        for key, before, after in (("0", 16, 16), ("1", 16, 32), ("2", 32, 64)):
            made[f"blocks.{key}.first.weight"] = (after, before, 3, 3)
            made[f"blocks.{key}.second.weight"] = (after, after, 3, 3)
            norm(f"blocks.{key}.first_norm", after)
            norm(f"blocks.{key}.second_norm", after)
            if before != after:
                made[f"blocks.{key}.around.weight"] = (after, before, 1, 1)
        dense("head", 64, 10)
    elif name == "lstm":
        made = {"lstm.weight_ih_l0": (512, 64), "lstm.weight_hh_l0": (512, 128)}
        made |= {"lstm.bias_ih_l0": (512,), "lstm.bias_hh_l0": (512,)}
        dense("head", 128, 10)
    else:
        made = {"tokens": (256, 128), "places": (64, 128)}
        for layer in range(4):
            norm(f"blocks.{layer}.before_attention", 128)
            norm(f"blocks.{layer}.before_forward", 128)
            dense(f"blocks.{layer}.qkv", 128, 384)
            dense(f"blocks.{layer}.out", 128, 128)
            dense(f"blocks.{layer}.up", 128, 512)
            dense(f"blocks.{layer}.down", 512, 128)
        norm("norm", 128)
        dense("head", 128, 256)
    return made


def step(name: str) -> Callable[[np.ndarray, np.ndarray], float]:
    workload = WORKLOADS[name]
    forward = mlp if name in MLPS else globals()[name]
    params = {key: jnp.asarray(initial(key, shape)) for key, shape in shapes(name).items()}
    norms = {key.rsplit(".", 1)[0] for key in params if name == "resnet" and "norm." in key}
    running = {f"{key}.mean": jnp.zeros(params[f"{key}.bias"].shape) for key in norms}
    running |= {f"{key}.var": jnp.ones(params[f"{key}.bias"].shape) for key in norms}
    optimizer = {
        "Adam": lambda: optax.adam(workload.lr),
        "AdamW": lambda: optax.adamw(workload.lr, weight_decay=0.01),
        "SGD": lambda: optax.sgd(workload.lr, momentum=0.9),
    }[workload.optimizer]()

    def loss(params: Params, running: dict[str, Any], x: Any, y: Any) -> Any:
        new = dict(running)
        logits = jnp.moveaxis(forward(params, x, new), 1, -1)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), new

    def update(params: Any, state: Any, running: Any, x: Any, y: Any) -> Any:
        (value, running), gradients = jax.value_and_grad(loss, has_aux=True)(params, running, x, y)
        changes, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, changes), state, running, value

    compiled = jax.jit(update, donate_argnums=(0, 1, 2))
    held = [params, optimizer.init(params), running]

    def train(x: np.ndarray, y: np.ndarray) -> float:
        *held[:], value = compiled(*held, x, y)
        return float(value)

    return train

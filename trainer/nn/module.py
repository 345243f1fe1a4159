"""Module: a model is a tree of Modules, and every Tensor in it has one dotted name."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from trainer.core import tree
from trainer.core.dtypes import describe
from trainer.core.errors import TreeError
from trainer.core.mode import capturing, current, mode
from trainer.core.node import Node
from trainer.core.tensor import Tensor, wrap


def Parameter(data: Any) -> Tensor:
    """A Tensor that is trained: assigned to an attribute of a Module it becomes a parameter."""
    return Tensor(data, requires_grad=True)


def as_parameter(value: Tensor) -> Tensor:
    """The same array as a parameter, without a copy; what made it is forgotten."""
    if capturing():
        return value
    parameter = wrap(value._data)
    parameter._node = Node(tensor=weakref.ref(parameter))
    return parameter


class Module(tree.Container):
    """Base of layers and models: write `__init__` and `forward`, in plain Python.

    A Tensor that requires a gradient, assigned to an attribute, is a parameter; a Module, or a list or
    dict of Modules, is a child. What is declared by `register_buffer` is a buffer: saved and exported,
    not trained, and the only thing that `forward` may assign to. A Module or a parameter may stand
    in several places; it is one to the optimizer and in a graph, by its first name.

    Example:
        >>> class Line(Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.slope = Parameter([2.0])
        ...     def forward(self, x):
        ...         return x * self.slope
        >>> line = Line()
        >>> line(Tensor([3.0])), list(line.named_tensors())
        (Tensor([6.]), ['slope'])

    Attributes:
        training: Whether layers like Dropout behave as in training. Defaults to True.
    """

    training: bool
    _own: dict[str, bool]

    def __init__(self) -> None:
        object.__setattr__(self, "_own", {})
        self.training = True

    def __setattr__(self, name: str, value: Any) -> None:
        own: dict[str, bool] | None = self.__dict__.get("_own")
        if own is None:
            raise TreeError(f"{type(self).__name__}.__init__ must call super().__init__() first.")
        if isinstance(value, Tensor) and value.requires_grad:
            own.setdefault(name, True)
        elif name in own and not isinstance(value, Tensor):
            raise TreeError(
                f"{type(self).__name__}.{name} holds a Tensor; it was given {type(value).__name__}."
            )
        object.__setattr__(self, name, value)

    def register_buffer(self, name: str, value: Tensor) -> None:
        """Declare a Tensor that is saved and exported but not trained (running statistics)."""
        self.__dict__["_own"][name] = False
        object.__setattr__(self, name, value)

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        """The computation; every Module defines its own."""
        raise TreeError(f"{type(self).__name__} does not define forward(self, ...).")

    def __call__(self, *inputs: Any, **keywords: Any) -> Any:
        """Run `forward`."""
        now = current.get()
        if not now.places:
            return self.forward(*inputs, **keywords)
        with mode(layer=self._within(now.layer)):
            return self.forward(*inputs, **keywords)

    def _within(self, around: tuple[str, Module] | None) -> tuple[str, Module]:
        """This Module with its dotted name, given the Module whose `forward` calls it."""
        path, module = around or ("", self)
        own = next((name for name, part in module.modules() if part is self), "")
        return ".".join(filter(None, (path, own))), self

    def _held(self) -> dict[str, Any]:
        """Where this Module's own Tensors stand by name: its attributes."""
        return self.__dict__

    # The tree.

    def tree_children(self) -> dict[str, Tensor]:
        """A Module as a tree: its trainable parameters by their dotted names."""
        return {name: tensor for name, tensor in self.parameters().items() if tensor.requires_grad}

    def children(self) -> Iterator[tuple[str, Module]]:
        """The child Modules with their dotted names, in the order they were assigned."""
        for name, value in self.__dict__.items():
            if isinstance(value, Module | list | tuple | dict) and name != "_own":
                yield from _modules_in(value, name)

    def modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This Module and all below it, with dotted names; its own is empty."""
        yield prefix, self
        for name, child in self.children():
            yield from child.modules(f"{prefix}.{name}" if prefix else name)

    def _places(self) -> dict[str, list[tuple[Module, str]]]:
        """Where the Tensor of each name stands: those of one Tensor are the same list."""
        same: dict[Any, list[tuple[Module, str]]] = {}
        places: dict[str, list[tuple[Module, str]]] = {}
        for path, module in self.modules():
            for name, trained in module._own.items():
                # Who moves a buffer does it where it stands; so there is no sharing but by Module.
                key = id(module._held()[name]) if trained else (id(module), name)
                places[f"{path}.{name}" if path else name] = found = same.setdefault(key, [])
                found.append((module, name))
        return places

    def _named(self, kinds: tuple[bool, ...]) -> dict[str, Tensor]:
        named: dict[str, Tensor] = {}
        seen = set()
        for path, module in self.modules():
            held = module._held()
            for name, trained in module._own.items():
                tensor = held[name]
                key = id(tensor) if trained else (id(module), name)
                if trained in kinds and key not in seen:
                    seen.add(key)
                    named[f"{path}.{name}" if path else name] = tensor
        return named

    def every_name(self) -> dict[str, Tensor]:
        """Every parameter and buffer by each of its dotted names: in a checkpoint all of them stand."""
        return {name: here._held()[own] for name, ((here, own), *_) in self._places().items()}

    def parameters(self) -> dict[str, Tensor]:
        """Every parameter by its first dotted name, frozen ones included."""
        return self._named((True,))

    def buffers(self) -> dict[str, Tensor]:
        """Every buffer by its dotted name."""
        return self._named((False,))

    def named_tensors(self) -> dict[str, Tensor]:
        """Every parameter and buffer by its first dotted name."""
        return self._named((True, False))

    def assign(self, tensors: Mapping[str, Tensor]) -> None:
        """Put other Tensors in the places of these names, as they are."""
        places = self._places()
        for name, tensor in tensors.items():
            for module, own in places[name]:
                module._held()[own] = tensor

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        """Every parameter and buffer as an array, by each of its dotted names."""
        return {name: tensor.numpy() for name, tensor in self.every_name().items()}

    def load(self, arrays: Mapping[str, Any], strict: bool = True) -> None:
        """Take over values by name.

        Args:
            arrays: Arrays, Tensors, or PyTorch's, by dotted name.
            strict: Whether every Tensor must be there by one of its names, and no other. Defaults
                to True.

        Raises:
            TreeError: Names are missing or unknown, or shapes or dtypes differ; all are listed, and
                nothing was changed.
        """
        mine = self.every_name()
        given = {
            name: value if isinstance(value, Tensor) else np.asarray(value)
            for name, value in arrays.items()
            if name in mine
        }
        problems = [
            f"{name}: {describe(given[name])} given, {describe(mine[name])} expected"
            for name in sorted(given)
            if (given[name].shape, given[name].dtype) != (mine[name].shape, mine[name].dtype)
        ]
        if strict:
            there = {id(mine[name]) for name in given}
            missing = (name for name, tensor in mine.items() if id(tensor) not in there)
            problems += [f"{name}: missing" for name in sorted(missing)]
            problems += [f"{name}: unknown" for name in sorted(arrays.keys() - mine.keys())]
        if problems:
            raise TreeError(
                f"These values do not fit {type(self).__name__}: {'; '.join(problems)}."
            )
        self.assign({n: Tensor(a, requires_grad=mine[n].requires_grad) for n, a in given.items()})

    # Modes.

    def train(self, training: bool = True) -> Module:
        """Switch this Module and all below it to training (or back), and return it."""
        for _, module in self.modules():
            module.training = training
        return self

    def eval(self) -> Module:
        """Switch to inference, and return this Module."""
        return self.train(False)

    def freeze(self, *names: str) -> Module:
        """Stop training the parameters whose names start with one of these; without names, all."""
        for name, tensor in self.every_name().items():
            if tensor.requires_grad and (not names or name.startswith(names)):
                self.assign({name: tensor.detach()})
        return self

    # What it looks like.

    def extra_repr(self) -> str:
        """The settings that a layer shows when it is printed."""
        return ""

    def __repr__(self) -> str:
        lines = [
            f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.children()
        ]
        inner = "\n" + "\n".join(lines) + "\n" if lines else self.extra_repr()
        return f"{type(self).__name__}({inner})"


def _modules_in(value: Any, name: str) -> Iterator[tuple[str, Module]]:
    if isinstance(value, Module):
        yield name, value
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _modules_in(item, f"{name}.{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _modules_in(item, f"{name}.{key}")

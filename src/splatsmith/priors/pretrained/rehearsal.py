"""How much memory a step takes, found out by taking it without memory.

The networks are made at full size on torch's meta device, where tensors have shapes and no
contents, and one step is taken with them: encode, ask, and the way back through the encoder. A
count of the bytes alive at each moment gives the most that were needed at once. What a device
adds to that (its own context, convolution workspaces, fragments between tensors) is not seen
here, so the figure is a lower bound that comes close.
"""

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """While it is entered: bytes of the tensors made since, that are still alive.

    Attributes:
        now: alive at this moment.
        most: alive at once, at most.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Carry out an operation and count what it made."""
        # What comes in may be older than the count: it is not counted when it comes out again.
        before = {_address(leaf) for leaf in tree_leaves((args, kwargs))} - {None}
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor) and _address(leaf) not in before:
                self._count(leaf)
        return made

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._known:
            return
        self._known.add(storage)
        size = storage.nbytes()
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._freed, size)

    def _freed(self, size: int) -> None:
        self.now -= size


def _address(leaf: Any) -> int | None:
    """What tells storages apart, on the meta device too, where all addresses are 0."""
    return leaf.untyped_storage()._cdata if isinstance(leaf, Tensor) else None


@contextmanager
def rehearsal() -> Iterator[LiveBytes]:
    """While it is entered, tensors are counted, and attention makes no table of scores.

    So it is with fused attention on every device that these networks run on; on meta the table
    would be made, and counted. torch's function is exchanged and not intercepted, because what
    intercepts functions is asleep during the way back, where checkpoints compute again.
    """
    kept = F.scaled_dot_product_attention
    F.scaled_dot_product_attention = _attended
    try:
        with LiveBytes() as alive:
            yield alive
    finally:
        F.scaled_dot_product_attention = kept


def _attended(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
    return _Attended.apply(query, key, value)


class _Attended(torch.autograd.Function):
    """Keeps for the way back what fused attention keeps: its inputs and its result."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        result = query.new_empty(*query.shape[:-1], value.shape[-1])
        ctx.save_for_backward(query, key, value, result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value, _ = ctx.saved_tensors
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)

"""The C++ mesh kernels as differentiable functions; `raster_reference.py` says what they do."""

from importlib import import_module
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable


def _load() -> Any:
    try:
        return import_module("splatsmith._mesh")
    except ImportError:  # installed without a C++ compiler
        return None


kernels = _load()


def available() -> bool:
    """Whether the kernels were built."""
    return kernels is not None


def isas() -> list[str]:
    """Instruction sets that this machine has kernels for, the fastest (and default) first.

    The environment variable SPLATSMITH_ISA chooses another of them.
    """
    return [] if kernels is None else kernels.isas()


def bare(tensor: Tensor | None) -> Any:
    """The same memory as an array, which nanobind takes over faster than a tensor."""
    return None if tensor is None else tensor.detach().contiguous().numpy()


def rasterize(
    clip: Float[Tensor, "views vertices 3"],
    faces: Int[Tensor, "faces 3"],
    width: int,
    height: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Triangle, barycentric coordinates and depth, as in `Fragments`."""
    return _Rasterize.apply(clip, faces, width, height)


def interpolate(
    attributes: Float[Tensor, "*views vertices channels"],
    faces: Int[Tensor, "faces 3"],
    triangle: Int[Tensor, "views height width"],
    barycentric: Float[Tensor, "views height width 3"],
) -> Float[Tensor, "views height width channels"]:
    """Barycentric sums of the corners' attributes, 0 where nothing is seen."""
    return _Interpolate.apply(attributes, barycentric, faces, triangle)


def antialias(
    color: Float[Tensor, "views height width channels"],
    triangle: Int[Tensor, "views height width"],
    depth: Float[Tensor, "views height width 1"],
    clip: Float[Tensor, "views vertices 3"],
    faces: Int[Tensor, "faces 3"],
    neighbors: Int[Tensor, "faces 3"],
) -> Float[Tensor, "views height width channels"]:
    """The picture with pixels blended across silhouettes; see `raster.antialias`."""
    return _Antialias.apply(color, clip, triangle, depth.detach(), faces, neighbors)


def face_neighbors(faces: Int[Tensor, "faces 3"], vertices: int) -> Int[Tensor, "faces 3"]:
    """The face across the edge opposite to each corner, -1 where the surface ends."""
    out = torch.empty_like(faces, memory_format=torch.contiguous_format)
    kernels.neighbors(bare(faces), vertices, bare(out))
    return out


def normal_sums(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]
) -> Float[Tensor, "vertices 3"]:
    """Sums over the faces about each vertex of their normals, twice the area long."""
    return _NormalSums.apply(vertices, faces)


class _NormalSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vertices: Tensor, faces: Tensor) -> Any:
        out = torch.zeros(vertices.shape)
        kernels.normals(*map(bare, (vertices, faces, None, out)))
        ctx.save_for_backward(vertices, faces)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, sums_grad: Tensor) -> Any:
        out = torch.zeros(sums_grad.shape)
        kernels.normals(*map(bare, (*ctx.saved_tensors, sums_grad, out)))
        return out, None


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, clip: Tensor, faces: Tensor, width: int, height: int) -> Any:
        shape = (len(clip), height, width)
        triangle = faces.new_empty(shape)
        barycentric, depth = clip.new_empty(*shape, 3), clip.new_empty(*shape, 1)
        arrays = map(bare, (clip, faces, triangle, barycentric, depth))
        kernels.rasterize(*arrays, torch.get_num_threads())
        ctx.save_for_backward(clip, faces, triangle, barycentric)
        ctx.mark_non_differentiable(triangle)
        ctx.set_materialize_grads(False)
        return triangle, barycentric, depth

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _: Any, barycentric_grad: Any, depth_grad: Any) -> Any:
        grad = torch.zeros_like(ctx.saved_tensors[0], memory_format=torch.contiguous_format)
        arrays = map(bare, (*ctx.saved_tensors, barycentric_grad, depth_grad, grad))
        kernels.rasterize_back(*arrays, torch.get_num_threads())
        return grad, None, None, None


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, attributes: Tensor, barycentric: Tensor, faces: Tensor, triangle: Tensor
    ) -> Any:
        out = attributes.new_empty(*triangle.shape, attributes.shape[-1])
        arrays = map(bare, (attributes, faces, triangle, barycentric, out))
        kernels.interpolate(*arrays, torch.get_num_threads())
        ctx.save_for_backward(attributes, faces, triangle, barycentric)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, out_grad: Tensor) -> Any:
        attributes, _, _, barycentric = ctx.saved_tensors
        grads = [
            torch.zeros(tensor.shape) if wanted else None
            for tensor, wanted in zip(
                (attributes, barycentric), ctx.needs_input_grad[:2], strict=True
            )
        ]
        arrays = map(bare, (*ctx.saved_tensors, out_grad, *grads))
        kernels.interpolate_back(*arrays, torch.get_num_threads())
        return *grads, None, None


class _Antialias(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        color: Tensor,
        clip: Tensor,
        triangle: Tensor,
        depth: Tensor,
        faces: Tensor,
        neighbors: Tensor,
    ) -> Any:
        out = torch.empty_like(color, memory_format=torch.contiguous_format)
        arrays = map(bare, (color, clip, faces, neighbors, triangle, depth, out))
        ctx.crossings = kernels.antialias(*arrays, torch.get_num_threads())
        ctx.save_for_backward(color, clip, faces, triangle)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, out_grad: Tensor) -> Any:
        color, clip, faces, triangle = ctx.saved_tensors
        color_grad = torch.empty(color.shape)
        clip_grad = torch.zeros(clip.shape) if ctx.needs_input_grad[1] else None
        arrays = (color, clip, faces, triangle, out_grad, color_grad, clip_grad)
        kernels.antialias_back(ctx.crossings, *map(bare, arrays), torch.get_num_threads())
        return color_grad, clip_grad, None, None, None, None

"""GELU and 2x2 max pooling as one operation, which trains on a CPU in a fraction of the time of the two layers.

In C++ where the machine can compile it, else in torch's own operations.
"""

import ctypes
import functools
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

SOURCE = Path(__file__).with_suffix(".cpp")
OPTIMIZED = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC", "-w"]
FOR_CPU = {"AVX512": ["-march=x86-64-v4", "-mprefer-vector-width=512"], "AVX2": ["-march=x86-64-v3"]}
"""Compiler options by `torch.backends.cpu.get_cpu_capability`."""
NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
LEAST_CHANNELS = 16


def gelu_max_pool(x: Tensor) -> Tensor:
    """`F.max_pool2d(F.gelu(x), 2)`.

    Args:
        x: Floating point [B, C, H, W].

    Returns:
        The same dtype, [B, C, H // 2, W // 2].
    """
    if not x.requires_grad or x.device.type != "cpu" or torch.jit.is_tracing() or torch.compiler.is_compiling():
        return F.max_pool2d(F.gelu(x), 2)
    if x.dtype in NAMES and x.shape[1] >= LEAST_CHANNELS and min(x.shape[2:]) >= 2 and (library := compiled()):
        return _Compiled.apply(x, library)
    return _Composed.apply(x)


def can_be_compiled() -> bool:
    """Whether system and CPU are of the kind for which it is compiled, if there is a compiler."""
    return platform.system() == "Linux" and torch.backends.cpu.get_cpu_capability() in FOR_CPU


@functools.cache
def compiled() -> ctypes.CDLL | None:
    """The operation in C++, compiled for this CPU by `$CXX`, or else `c++`, in a quarter of a second per process.

    `None` where that cannot be done: on other systems than Linux, on CPUs without AVX2, without a compiler, or where
    the compiler brings an OpenMP of its own, whose threads would be in the way of torch's. Setting CXX to nothing
    turns it off.
    """
    command = shlex.split(os.environ.get("CXX", "c++"))
    if not can_be_compiled() or not command or not shutil.which(command[0]):
        return None
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "gelu_max_pool.so"
            command += [*FOR_CPU[torch.backends.cpu.get_cpu_capability()], *OPTIMIZED, str(SOURCE), "-o", str(path)]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
            runtimes = _openmp_runtimes()
            library = ctypes.CDLL(str(path))
        return library if _openmp_runtimes() == runtimes and _is_right(library) else None
    except (OSError, subprocess.SubprocessError):
        return None


def _openmp_runtimes() -> set[str]:
    """The files of the OpenMP libraries that this process has loaded."""
    mapped = Path("/proc/self/maps").read_text().splitlines()
    return {line.split()[-1] for line in mapped if any(name in line for name in ("libgomp", "libomp", "libiomp"))}


def _is_right(library: ctypes.CDLL) -> bool:
    """Whether it computes what torch does: a look that takes a millisecond."""
    values = torch.arange(2.0 * 19 * 5 * 7).sin().mul(4).view(2, 19, 5, 7)
    with torch.enable_grad():
        for dtype, tolerance in {torch.float32: 1e-5, torch.bfloat16: 1e-2}.items():
            x = values.to(dtype, copy=True).requires_grad_()
            ours, theirs = _Compiled.apply(x, library), F.max_pool2d(F.gelu(x), 2)
            gradients = (torch.autograd.grad(pooled.sin().sum(), x)[0] for pooled in (ours, theirs))
            for a, b in ((ours, theirs), gradients):
                if not torch.allclose(a, b, atol=tolerance, rtol=tolerance):
                    return False
    return True


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, library: ctypes.CDLL) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        pooled, winners = (_empty(x, x.shape[2] // 2, x.shape[3] // 2) for _ in range(2))
        places = torch.empty_like(pooled, dtype=torch.uint8)
        ctx.library, ctx.shape = library, x.shape
        _call(library, "forward", x, pooled, winners, places, shape=x.shape)
        ctx.save_for_backward(winners, places)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        winners, places = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        result = _empty(gradient, *ctx.shape[2:])
        _call(ctx.library, "backward", gradient, winners, places, result, shape=ctx.shape)
        return result, None


def _empty(like: Tensor, height: int, width: int) -> Tensor:
    shape = (*like.shape[:2], height, width)
    return torch.empty(shape, dtype=like.dtype, memory_format=torch.channels_last)


def _call(library: ctypes.CDLL, name: str, *tensors: Tensor, shape: torch.Size) -> None:
    batch, channels, height, width = map(ctypes.c_int64, shape)
    addresses = [ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors]
    function = library[f"{name}_{NAMES[tensors[0].dtype]}"]
    function(*addresses, batch, height, width, channels, torch.get_num_threads())


class _Composed(torch.autograd.Function):
    """Computes the gradient of GELU only for the quarter of the values that pooling lets through."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        pooled, indices = F.max_pool2d(F.gelu(x), 2, return_indices=True)
        ctx.save_for_backward(x, indices)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        x, indices = ctx.saved_tensors
        # As [B, H * W, C], which for channels_last tensors copies nothing.
        pixels, places, slopes = (t.permute(0, 2, 3, 1).flatten(1, 2) for t in (x, indices, gradient))
        kept = torch.ops.aten.gelu_backward(slopes, pixels.gather(1, places))
        kept = kept.unflatten(1, gradient.shape[2:]).permute(0, 3, 1, 2)
        if torch.are_deterministic_algorithms_enabled():  # it is, as windows share no place, but torch cannot know
            return torch.zeros_like(x).flatten(2).scatter_(2, indices.flatten(2), kept.flatten(2)).view_as(x)
        return F.max_unpool2d(kept, indices, (2, 2), output_size=x.shape[2:])

"""Speed that the machine offers: freed memory is kept, GPUs are searched for once, bfloat16 is used if it is native."""

import ctypes
import os
import platform

import torch


def keep_freed_memory() -> None:
    """Tells glibc to reuse large blocks of freed memory rather than hand each one back to the kernel.

    The activations of a batch are tens of megabytes, and fetching their pages anew for every batch takes a third
    of an epoch. Setting one of glibc's own MALLOC_ variables or GLIBC_TUNABLES turns this off.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith(("MALLOC_", "GLIBC_TUN")) for name in os.environ):
        return
    libc = ctypes.CDLL(None)
    m_trim_threshold, m_mmap_threshold = -1, -3
    libc.mallopt(m_mmap_threshold, 32 * 2**20)  # the most that glibc allows
    libc.mallopt(m_trim_threshold, 2**30)


def remember_that_there_is_no_gpu() -> None:
    """Tells torch's CUDA builds, where there is no CUDA device, not to look for one again.

    AdamW does so in each step, by loading NVIDIA's library, which takes half a millisecond. Setting
    CUDA_VISIBLE_DEVICES turns this off.
    """
    if torch.backends.cuda.is_built() and not torch.cuda.is_available():
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def has_bfloat16(accelerator: str) -> bool:
    """Whether bfloat16 is computed by the hardware itself; emulated, it is slower than float32.

    Args:
        accelerator: As `--trainer.accelerator`; `auto` takes a CUDA device where there is one.
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Where torch has no such function yet, none are known.
    instructions: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return accelerator in ("auto", "cpu") and any(instructions.get(name) for name in ("avx512_bf16", "amx_bf16"))

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mnist_cnn.hardware import gelu_max_pool as module
from mnist_cnn.hardware.gelu_max_pool import compiled, gelu_max_pool

LAYERS = torch.nn.Sequential(torch.nn.GELU(), torch.nn.MaxPool2d(2))


@pytest.fixture
def compiled_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Lets `compiled` look at the environment again."""
    compiled.cache_clear()
    yield monkeypatch
    compiled.cache_clear()


def with_gradient(operation: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    pooled = operation(x)
    (pooled * torch.arange(pooled.numel()).view(pooled.shape).cos().to(x.dtype)).sum().backward()
    return pooled.detach(), x.grad


def by_window(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Sums and numbers of what is not zero of 2x2 windows."""
    windows = gradient.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    return windows.sum(4), windows.count_nonzero(4)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
@pytest.mark.parametrize("deterministic", [False, True])
def test_composed_it_is_gelu_then_max_pool(
    memory_format: torch.memory_format, size: tuple[int, int], deterministic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: deterministic)
    x = torch.randn(3, 5, *size, dtype=torch.float64).contiguous(memory_format=memory_format)
    (pooled, gradient), (expected, expected_gradient) = (with_gradient(f, x) for f in (gelu_max_pool, LAYERS))
    assert torch.equal(pooled, expected)
    torch.testing.assert_close(gradient, expected_gradient)
    assert torch.equal(gelu_max_pool(x), expected)


@pytest.mark.skipif(compiled() is None, reason="nothing is compiled on this machine")
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 2e-6), (torch.bfloat16, 1e-2)])
@pytest.mark.parametrize("shape", [(1, 16, 2, 2), (3, 19, 7, 9), (2, 28, 28, 28), (2, 40, 2, 5), (0, 32, 8, 8)])
def test_compiled_it_is_gelu_then_max_pool(
    shape: tuple[int, ...], dtype: torch.dtype, close: float, memory_format: torch.memory_format
) -> None:
    torch.manual_seed(0)
    x = (3 * torch.randn(shape)).to(dtype).contiguous(memory_format=memory_format)
    (pooled, gradient), (expected, expected_gradient) = (with_gradient(f, x) for f in (gelu_max_pool, LAYERS))
    torch.testing.assert_close(pooled, expected, atol=close, rtol=close)
    # Where two of four have the same GELU, either one may get the gradient: whole windows are compared.
    (windows, nonzero), (expected_windows, _) = (by_window(g) for g in (gradient, expected_gradient))
    torch.testing.assert_close(windows, expected_windows, atol=close, rtol=close)
    assert (nonzero <= 1).all()
    assert gradient.count_nonzero() == nonzero.sum()  # none in odd rows and columns


@pytest.mark.skipif(compiled() is None, reason="nothing is compiled on this machine")
def test_compiled_it_is_exact_everywhere_and_keeps_what_is_not_finite() -> None:
    x = torch.linspace(-12, 12, 16 * 10_001, dtype=torch.float64).view(1, 16, 10_001, 1).expand(1, 16, 10_001, 2)
    x = x.repeat_interleave(2, dim=2)
    (pooled, gradient), (expected, expected_gradient) = (
        with_gradient(gelu_max_pool, x.float()),
        with_gradient(LAYERS, x),
    )
    assert (pooled - expected).abs().max() < 2e-6
    assert (by_window(gradient)[0] - by_window(expected_gradient)[0]).abs().max() < 1e-6
    for place in range(4):
        for value in (torch.nan, torch.inf):
            window = torch.zeros(1, 16, 2, 2)
            window.view(16, 4)[3, place] = value
            result = gelu_max_pool(window.requires_grad_()).detach().flatten()
            assert str(float(result[3])) == str(value)
            assert not result[:3].any()


@pytest.mark.parametrize("compiler", ["", "no-such-compiler", "false", "echo"])
def test_without_a_compiler_that_works_torch_does_it(compiler: str, compiled_anew: pytest.MonkeyPatch) -> None:
    compiled_anew.setenv("CXX", compiler)
    assert compiled() is None
    x = torch.randn(2, 16, 4, 4)
    torch.testing.assert_close(with_gradient(gelu_max_pool, x), with_gradient(LAYERS, x))


@pytest.mark.skipif(compiled() is None, reason="nothing is compiled on this machine")
def test_a_library_that_is_wrong_or_brings_its_own_threads_is_not_used(
    compiled_anew: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong = tmp_path / "gelu_max_pool.cpp"
    wrong.write_text(module.SOURCE.read_text().replace("0.398942155f", "0.39f"))
    compiled_anew.setattr(module, "SOURCE", wrong)
    assert compiled() is None
    compiled.cache_clear()
    compiled_anew.undo()
    runtimes = iter([{"torch's"}, {"torch's", "another"}])
    compiled_anew.setattr(module, "_openmp_runtimes", lambda: next(runtimes))
    assert compiled() is None


@pytest.mark.skipif(compiled() is None, reason="nothing is compiled on this machine")
def test_any_number_of_threads_gives_the_same_bits() -> None:
    code = (
        "import sys, torch; from mnist_cnn.networks import TutorialCNN; torch.set_num_threads(int(sys.argv[1]));"
        "x = torch.arange(2. * 28 * 7 * 7).sin().view(2, 28, 7, 7).requires_grad_();"
        "from mnist_cnn.hardware.gelu_max_pool import compiled, gelu_max_pool; assert compiled(), 'not compiled';"
        "y = gelu_max_pool(x); y.cos().sum().backward();"
        "print(y.double().sum().item(), x.grad.double().sum().item())"
    )
    results = {subprocess.check_output([sys.executable, "-c", code, str(count)]) for count in (1, 2, 3)}
    assert len(results) == 1

import pytest
import torch

from mnist_cnn import networks

NETWORKS = {
    "TutorialCNN": 124_686,
}
"""Every network and its number of parameters with default arguments."""


@pytest.mark.parametrize(("name", "parameters"), NETWORKS.items())
def test_shape_dtype_size_and_batch_independence(name: str, parameters: int) -> None:
    network = getattr(networks, name)().eval()
    assert sum(p.numel() for p in network.parameters()) == parameters
    images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8)
    log_probs = network(images)
    assert (log_probs.shape, log_probs.dtype) == ((5, 10), torch.float32)
    torch.testing.assert_close(log_probs.exp().sum(1), torch.ones(5))
    torch.testing.assert_close(network(images[2:3]), log_probs[2:3])


def test_the_network_scales_raw_pixels() -> None:
    images = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    network = networks.TutorialCNN()
    scaled = network.classifier(network.features(images.float() / 255))
    assert torch.equal(network(images), scaled)
    assert torch.equal(network(images.float()), scaled)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_gelu_max_pool_is_gelu_then_max_pool(memory_format: torch.memory_format, size: tuple[int, int]) -> None:
    start = torch.randn(3, 5, *size, dtype=torch.float64)
    reference, x = (start.clone(memory_format=memory_format).requires_grad_() for _ in range(2))
    expected = torch.nn.Sequential(torch.nn.GELU(), torch.nn.MaxPool2d(2))(reference)
    pooled = networks.GELUMaxPool()(x)
    assert torch.equal(pooled, expected)
    weights = torch.randn_like(expected)
    (expected * weights).sum().backward()
    (pooled * weights).sum().backward()
    torch.testing.assert_close(x.grad, reference.grad)
    assert torch.equal(networks.GELUMaxPool()(x.detach()), expected)


def test_sizes_are_arguments() -> None:
    network = networks.TutorialCNN(channels=(4, 6), hidden=20)
    assert [tuple(p.shape) for p in network.parameters() if p.ndim > 1] == [
        (4, 1, 3, 3),
        (6, 4, 3, 3),
        (20, 216),
        (10, 20),
    ]

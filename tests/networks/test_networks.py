import pytest
import torch

from mnist_cnn import networks

MNIST_PLUS_1 = {"blocks": ((1,),), "hidden": (1000, 1000)}
MNIST_PLUS_2 = {"blocks": ((30,),), "hidden": (100,)}

NETWORKS = [
    ("TutorialCNN", {}, 124_686),
    ("TutorialCNN", {"channels": (4, 6), "hidden": 20}, 40 + 222 + 4340 + 210),
    ("MLP", {}, 1_796_010),
    ("MLP", {"hidden": (), "dropout": 0.5}, 7_850),
    ("ConvNet", {}, 174_278),
    ("ConvNet", MNIST_PLUS_1, 1_208_020),
    ("ConvNet", MNIST_PLUS_2, 589_410),
    ("ConvNet", {"blocks": ((2,),) * 6, "hidden": ()}, 20 + 5 * 38 + 30),
    ("ConvNet", {"blocks": ((3, 4), (5,)), "hidden": (), "batch_norm": True}, 27 + 6 + 108 + 8 + 180 + 10 + 2460),
    ("CosineCNN", {}, 71_626),
    ("CosineCNN", {"towers": 3}, 3 * 71_626),
    ("CosineCNN", {"filters": 50, "blocks": ((3, 4),), "hidden": (), "crop": 0}, 1350 + 6 + 108 + 8 + 1010),
]
"""Every network, with arguments, and its number of parameters."""

BY_NAME = [pytest.param(*row, id=f"{row[0]}-{i}") for i, row in enumerate(NETWORKS)]


def test_every_network_is_in_the_table() -> None:
    known = {name for name in networks.__all__ if isinstance(getattr(networks, name), type)}
    all_of_them = {name for name in known if issubclass(getattr(networks, name), networks.Network)}
    assert {name for name, *_ in NETWORKS} == all_of_them - {"Network"}


@pytest.mark.parametrize(("name", "arguments", "parameters"), BY_NAME)
def test_shape_dtype_size_and_batch_independence(name: str, arguments: dict, parameters: int) -> None:
    network = getattr(networks, name)(**arguments).eval()
    assert sum(p.numel() for p in network.parameters()) == parameters
    images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8)
    log_probs = network(images)
    assert (log_probs.shape, log_probs.dtype) == ((5, 10), torch.float32)
    torch.testing.assert_close(log_probs.exp().sum(1), torch.ones(5))
    torch.testing.assert_close(network(images[2:3]), log_probs[2:3])
    exact = network.double()(images)
    assert exact.dtype == torch.float64
    torch.testing.assert_close(exact.float(), log_probs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "arguments", "parameters"), BY_NAME)
def test_dezero_s_initialization(name: str, arguments: dict, parameters: int) -> None:
    torch.manual_seed(0)
    network = getattr(networks, name)(**arguments, initialization="dezero")
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            count, fan_in = layer.weight.numel(), layer.weight[0].numel()
            scaled = layer.weight.detach() * fan_in**0.5  # standard normal, each bound five standard errors
            assert abs(scaled.mean()) < 5 / count**0.5
            assert abs(scaled.std() - 1) < 5 / (2 * count) ** 0.5
            assert layer.bias is None or not layer.bias.any()
    standard = getattr(networks, name)(**arguments)
    assert any(layer.bias.any() for layer in standard.modules() if isinstance(layer, torch.nn.Linear))


@pytest.mark.parametrize(
    ("scaling", "lowest", "highest"), [("unit", 0, 1), ("raw", 0, 255), ("standard", -0.4242, 2.8215)]
)
def test_scaling(scaling: str, lowest: float, highest: float) -> None:
    images = torch.tensor([0, 255], dtype=torch.uint8)
    scaled = networks.ScalePixels(scaling)(images)
    torch.testing.assert_close(scaled, torch.tensor([lowest, highest], dtype=torch.float32), atol=1e-4, rtol=0)
    for name in ("TutorialCNN", "MLP", "ConvNet", "CosineCNN"):
        assert getattr(networks, name)(scaling=scaling).scale.scaling == scaling


def test_conv_net_is_the_published_order_of_layers() -> None:
    network = networks.ConvNet(**MNIST_PLUS_2, scaling="raw").eval()
    images = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    conv, hidden, output = (layer for layer in network.modules() if hasattr(layer, "weight"))
    x = torch.nn.functional.max_pool2d(conv(images.float()).relu(), 2).flatten(1)
    torch.testing.assert_close(network(images), output(hidden(x).relu()).log_softmax(1))


def test_batch_normalization_works_on_what_pooling_leaves() -> None:
    network = networks.ConvNet(blocks=((3, 4),), batch_norm=True)
    assert [type(layer).__name__ for layer in network.features] == [
        *("Conv2d", "BatchNorm2d", "ReLU"),
        *("Conv2d", "MaxPool2d", "BatchNorm2d", "ReLU"),
    ]


def test_dropout_is_off_in_evaluation() -> None:
    network = networks.ConvNet(**MNIST_PLUS_2)
    images = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


def test_the_network_scales_raw_pixels() -> None:
    images = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    network = networks.TutorialCNN()
    scaled = network.classifier(network.features(images.float() / 255))
    assert torch.equal(network(images), scaled)
    assert torch.equal(network(images.float()), scaled)


def test_towers_are_trained_one_by_one_and_answer_together() -> None:
    network = networks.CosineCNN(towers=3)
    images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8)
    assert network(images).shape == (3, 5, 10)
    network.eval()
    features = network.features(network.scale(images))
    probabilities = torch.stack([tower(features).exp() for tower in network.classifier.towers])
    torch.testing.assert_close(network(images).exp(), probabilities.mean(dim=0))
    assert probabilities.std(dim=0).max() > 1e-3


def test_cosine_filters_are_pairs_of_an_orthonormal_basis_and_stay_as_they_are() -> None:
    network = networks.CosineCNN(filters=50)
    filters = network.features[1].filters.flatten(1)
    assert torch.equal(filters[0::2], -filters[1::2])
    torch.testing.assert_close(filters[0::2] @ filters[0::2].T, torch.eye(25))
    assert filters[0].std() < 1e-6  # the lowest frequency
    assert all(parameter is not network.features[1].filters for parameter in network.parameters())


@pytest.mark.parametrize(
    "arguments", [{"filters": 51}, {"crop": 5}, {"blocks": ((8,), (8,), (8,))}, {"crop": 4, "blocks": ((8,), (8,))}]
)
def test_sizes_that_cannot_be_built(arguments: dict) -> None:
    with pytest.raises(ValueError, match=r"must be at most|give fewer blocks"):
        networks.CosineCNN(**arguments)

"""Words for single options, for the help and for errors."""

from mnist_cnn import networks
from mnist_cnn.hints import either

NETWORKS = [
    name
    for name in networks.__all__
    if isinstance(kind := getattr(networks, name), type) and issubclass(kind, networks.Network)
    if kind is not networks.Network
]
"""The names of the networks of this package."""

OPTIONS = {
    "model.network": f"{either(NETWORKS)} or the import path of your own torch.nn.Module",
    "data.augment": "RandomAffine, RandomElastic or one of torchvision's",
    "data.val_size": "a whole number from 0 to 59,999, of MNIST's 60,000 training images",
    "data.data_dir": "a folder",
    "data.pictures": "a path, or a list of paths",
    "predictions.output": "a file",
    "output": "a file",
}
"""Words for single options whose type alone does not say it."""

"""The command line of the project, from a checkout: `python scripts/train.py fit`; installed it is `mnist-cnn`."""

from mnist_cnn.__main__ import main

if __name__ == "__main__":
    main()

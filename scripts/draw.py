"""A page to draw digits on, from a checkout: `python scripts/draw.py`; installed it is `mnist-cnn-draw`."""

from mnist_cnn.page.__main__ import main

if __name__ == "__main__":
    main()

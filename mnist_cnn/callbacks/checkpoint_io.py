"""How Lightning writes checkpoints here: all or nothing."""

import errno
import io
import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from mnist_cnn.atomic import replacing
from mnist_cnn.checkpoints import CheckpointError


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes local checkpoints so that no kill, crash or full disk leaves half of one or harms the one before."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Writes one file; what hinders that is a `CheckpointError`."""
        if "://" in str(path):
            return super().save_checkpoint(checkpoint, path, storage_options)
        content = io.BytesIO()  # torch hides why a file cannot be written
        torch.save(checkpoint, content)
        try:
            with replacing(Path(path)) as file:
                file.write(content.getbuffer())
        except OSError as error:
            what = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "mend that"
            raise CheckpointError(
                f"cannot write {os.path.relpath(path)} ({error.strerror}): earlier checkpoints are intact; {what}, "
                f"then go on with --ckpt_path=last"
            ) from error

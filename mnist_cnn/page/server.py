"""The page to draw on at an address: its options, its model, and the server."""

import argparse
import os
import socket
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mnist_cnn.checkpoints import CheckpointError
from mnist_cnn.page.keep import KeepError, Kept
from mnist_cnn.page.networks import Networks
from mnist_cnn.reading.models import pretrained_classifier, pretrained_detector, pretrained_recognizer
from mnist_cnn.start import fail
from mnist_cnn.tasks.classifier import NetworkError

try:
    import waitress
    from waitress.server import BaseWSGIServer

    from mnist_cnn.page.app import MOST_BYTES, Page
except ImportError:
    waitress = None

EPILOG = """\
Whoever can reach the address can have pictures read, so it is this computer alone unless --host says otherwise;
--host=0.0.0.0 lets a phone in the same network draw, too. Without the page:
curl --data-binary @photo.jpg http://127.0.0.1:7860/read?layout=row
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves the page until Ctrl-C."""
    options = _parser().parse_args(arguments)
    if not waitress:
        fail('the page needs the extra "demo": pip install -e ".[demo]"')
    try:
        networks = Networks(options.ckpt_path, options.network)
        found, _ = networks.file(options.ckpt_path), networks.model(options.ckpt_path)
        kept = Kept(options.keep) if options.keep else None
        server = serve(Page(networks, options.host, kept), options.host, options.port)
    except (CheckpointError, NetworkError, KeepError) as error:
        fail(error)
    pretrained_classifier(), pretrained_detector(), pretrained_recognizer()  # the first answer need not wait for them
    port = server.effective_port
    name = "127.0.0.1" if options.host in ("0.0.0.0", "::") else options.host
    url = f"http://{f'[{name}]' if ':' in name else name}:{port}/"
    print(f"checkpoint: {found}")
    if kept:
        print(f"KEEPING:    what is labelled goes to {kept.folder}, {kept.count():,} pictures so far")
    print(f"draw here:  {url} (Ctrl-C ends it)", flush=True)
    if options.open and _has_screen():
        webbrowser.open(url)
    server.run()


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with exit status 2."""
        fail(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        description="A page to draw digits on, or to drop photos of them: what the network sees, and its answer.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--ckpt_path",
        default="pretrained",
        help="pretrained (default), best or last of the newest run in lightning_logs, or a file",
    )
    parser.add_argument(
        "--model.network",
        dest="network",
        metavar="CLASS",
        help="for a checkpoint of a network of your own: its import path, such as my_module.MyNet",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep the pictures that are labelled on the page there, to train on them with "
        "fit --config finetune --data.labelled=FOLDER (default: nothing is kept)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (default 127.0.0.1)")
    parser.add_argument("--port", type=_port, default=7860, help="the port; 0 takes a free one (default 7860)")
    parser.add_argument(
        "--open", action=argparse.BooleanOptionalAction, default=True, help="whether to show it in the browser"
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


def serve(page: "Page", host: str, port: int) -> "BaseWSGIServer":
    """A server of the page that listens already; its `run` answers until it is interrupted.

    Ends the program where the port is taken, or the host is not an address of this computer.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        reason = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
        fail(f"cannot listen at {host}, port {port} ({reason}): choose another --port, 0 for any free one, or --host")
    return waitress.create_server(
        page,
        sockets=[listening],
        ident=None,
        threads=4,
        channel_timeout=30,
        max_request_body_size=2 * MOST_BYTES,  # up to there the page itself says that it is too much
    )


def _has_screen() -> bool:
    """Whether a browser can show something; a text browser would take the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))

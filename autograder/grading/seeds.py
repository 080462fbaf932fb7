"""What the hidden inputs of a submission are drawn from: a seed, made of the course's secret."""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile


def secret(path: Path) -> bytes:
    """The course secret that seeds are made with; made on first use, readable by its owner only."""
    if not path.exists():
        # Whole from the moment it is there: several graders may start at once.
        with NamedTemporaryFile("w", dir=path.parent) as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            with suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_bytes().strip()


def seed(secret: bytes, assignment: str, student: str, digest: str) -> str:
    """The recorded seed of a submission: the same for the same work, unknown without the secret.

    Args:
        digest: of everything that was handed in (see :mod:`autograder.submission.digest`). What a
            submission brings along may hold the answers to inputs that another one has printed.
    """
    text = "\0".join((assignment, student, digest))
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:32]

"""boto3's own transfers, of which upstream's code makes use wherever ours does not, kept in the request's greenlet."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

METHODS = ("upload_file", "upload_fileobj", "download_file", "download_fileobj")


def without_threads(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let the transfers of the clients that upstream makes start no threads.

    Under gevent these are greenlets, and known to wait for each other for ever.
    """

    @functools.wraps(original)
    def client(*arguments: Any, **keywords: Any) -> Any:
        from boto3.s3.transfer import TransferConfig  # only who stores artifacts in S3 has it

        made = original(*arguments, **keywords)
        for name in METHODS:
            if name not in vars(made):  # upstream keeps its clients
                config = TransferConfig(use_threads=False)
                setattr(made, name, functools.partial(getattr(made, name), Config=config))
        return made

    return client

"""What a client is told when its request is not answered.

Owns: `RequestError`, a sentence with an HTTP status. Leaves to others: the JSON around it (`app.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from translearn_core.errors import InputError


class RequestError(InputError):
    """A request is not answered.

    Args:
        message: a sentence for the client.
        status: the HTTP status, 400 to 499; 503 where the service is to blame.
        more: further keys of the JSON beside `error`.
        close: whether the connection is closed after it.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        more: Mapping[str, Any] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.more = dict(more or {})
        self.close = close

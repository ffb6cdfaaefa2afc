"""Hashes of PINs, passwords and tokens, and signatures.

Owns: how they are made and compared. Leaves to others: where they are kept.

A hash of a PIN or password is `scrypt$<log2 n>$<r>$<p>$<salt>$<hash>`: it takes about 50 ms and 16 MB to
make, so that guessing from a stolen file is slow.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

_LOG_N, _R, _P = 14, 8, 1
_BYTES = 32


def hash_secret(text: str) -> str:
    """A salted hash of a PIN or password."""
    salt = secrets.token_bytes(16)
    made = _scrypt(text, salt, _LOG_N, _R, _P)
    return f"scrypt${_LOG_N}${_R}${_P}${salt.hex()}${made.hex()}"


def is_secret(text: str, kept: str) -> bool:
    """Whether a hash was made of this text; takes as long for no hash at all."""
    try:
        kind, log_n, r, p, salt, wanted = kept.split("$")
        known = kind == "scrypt"
        made = _scrypt(text, bytes.fromhex(salt), int(log_n), int(r), int(p))
    except ValueError:
        _scrypt(text, b"", _LOG_N, _R, _P)
        return False
    return known and hmac.compare_digest(made, bytes.fromhex(wanted))


def _scrypt(text: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(data, salt=salt, n=2**log_n, r=r, p=p, maxmem=2**26, dklen=_BYTES)


def digest(token: str) -> str:
    """What is kept of a random token: its SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def sign(text: str | bytes, secret: str) -> str:
    """The signature of a text, in hexadecimal."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return hmac.new(bytes.fromhex(secret), data, hashlib.sha256).hexdigest()


def is_signed(text: str | bytes, signature: str, secret: str) -> bool:
    """Whether a signature was made of this text with this secret."""
    return hmac.compare_digest(sign(text, secret).encode(), signature.encode("utf-8", "replace"))

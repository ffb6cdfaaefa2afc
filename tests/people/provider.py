"""A small identity provider (OpenID Connect): one account, which whoever asks is signed in as."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT, SECRET = "translearn", "a secret of the school"


class Provider:
    """What it says of the account, and where it is."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.metadata_url = f"{self.issuer}/.well-known/openid-configuration"
        self.claims: dict[str, Any] = {}
        self.key = rsa.generate_private_key(65537, 2048)
        self.signs_with = self.key
        self.nonces: dict[str, str] = {}
        self.asked: list[str] = []

    def metadata(self) -> dict[str, Any]:
        """Its discovery document."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
        }

    def keys(self) -> dict[str, Any]:
        """The public key that answers are held against."""
        numbers = self.key.public_key().public_numbers()
        modulus = numbers.n.to_bytes(256, "big")
        exponent = numbers.e.to_bytes(3, "big")
        key = {"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256"}
        return {"keys": [key | {"n": _text(modulus), "e": _text(exponent)}]}

    def tokens(self, code: str) -> dict[str, Any]:
        """The answer to a code: a signed ID token."""
        now = int(time.time())
        told = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300}
        told |= {"nonce": self.nonces[code]} | self.claims
        parts = [_text(json.dumps(one).encode()) for one in ({"alg": "RS256", "kid": "1"}, told)]
        signed = self.signs_with.sign(".".join(parts).encode(), padding.PKCS1v15(), hashes.SHA256())
        return {
            "access_token": "access",
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": ".".join([*parts, _text(signed)]),
        }


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class _Answers(BaseHTTPRequestHandler):
    provider: Provider

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Discovery, keys, and the sign-in, which leads back at once."""
        address = urlsplit(self.path)
        self.provider.asked.append(address.path)
        if address.path == "/authorize":
            asked = {name: one[0] for name, one in parse_qs(address.query).items()}
            code = hashlib.sha256(asked["code_challenge"].encode()).hexdigest()[:16]
            self.provider.nonces[code] = asked["nonce"]
            back = urlencode({"code": code, "state": asked["state"]})
            self.send_response(302)
            self.send_header("location", f"{asked['redirect_uri']}?{back}")
            self.end_headers()
            return
        known = {
            "/.well-known/openid-configuration": self.provider.metadata,
            "/keys": self.provider.keys,
            "/userinfo": lambda: self.provider.claims,
        }
        self._send(known[address.path]())

    def do_POST(self) -> None:
        """The token for a code, to the client that has the secret and began it."""
        self.provider.asked.append(self.path)
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        verifier = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        code = hashlib.sha256(_text(verifier).encode()).hexdigest()[:16]
        given = self.headers.get("authorization", "").removeprefix("Basic ")
        if given not in (basic, basic.replace(" ", "+")) or form["code"] != [code]:
            self.send_response(401)
            self.end_headers()
            return
        self._send(self.provider.tokens(code))

    def _send(self, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def providing() -> Iterator[Provider]:
    """A provider that answers while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    provider = Provider(server.server_port)
    _Answers.provider = provider
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def follow(address: str) -> str:
    """Where the provider leads to."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        return str(answer.headers["location"])
    finally:
        connection.close()

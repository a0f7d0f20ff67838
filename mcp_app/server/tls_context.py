"""The TLS of a configuration: its versions, its ciphers, whose certificates it takes; and the same once more, from the
files as they are now.

Where certificates come from is not known here (`tls`), nor what a client's says (mcp_app/auth/certificates.py).
"""

from __future__ import annotations

import ssl

from hypercorn.config import Config

from mcp_app.server.errors import StartError

_TLS_1_3 = "TLSv1.3"


class Tls:
    """What connections are secured with from now on."""

    def __init__(self, config: Config) -> None:
        """Raises `StartError` if the files, or the ciphers, cannot be used."""
        self._config = config
        try:
            self._context = make_context(config)
        except OSError as error:  # ssl.SSLError is one
            raise StartError(f"{names(config)} cannot be used: {error.strerror or error}") from error

    def context(self) -> ssl.SSLContext:
        """That of the next connection."""
        return self._context

    def read_again(self) -> None:
        """Read certificate, key and authorities at their places. Connections that are open keep what they have, and no
        session of theirs is resumed in a new one. Raises OSError (ssl.SSLError is one) if something cannot be used;
        then what was there before is.
        """
        self._context = make_context(self._config)


def make_context(config: Config) -> ssl.SSLContext:
    """A context of a configuration that has a certificate.

    As Hypercorn's, which takes TLS 1.2 and newer, but: the server's order of ciphers counts, no client may renegotiate,
    and one with `ca_certs` asks for the client's certificate unless `verify_mode` says otherwise (as released, it loads
    them and never asks). Raises OSError, and `StartError` for ciphers that do not exist, or that HTTP/2 refuses.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(config.ciphers)
    except ssl.SSLError as error:
        raise StartError(f"ciphers: {config.ciphers!r} selects none: remove the key for the default") from error
    context = config.create_ssl_context()
    assert context is not None  # noqa: S101 - it has a certificate
    # Hypercorn sets only what RFC 9113, 9.2.1 asks for, in the place of all that Python had set.
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if config.ca_certs is not None and config.verify_mode is None:
        context.verify_mode = ssl.CERT_OPTIONAL
    weak = [
        str(cipher["name"])
        for cipher in context.get_ciphers()
        if cipher["protocol"] != _TLS_1_3 and not (cipher["aead"] and cipher["kea"] in ("kx-ecdhe", "kx-dhe"))
    ]
    if weak:
        raise StartError(
            f"ciphers: {weak[0]} has no forward secrecy or no authenticated encryption, and clients refuse it over "
            "HTTP/2 (RFC 9113, Appendix A): remove the key for the default"
        )
    return context


def names(config: Config) -> str:
    """Of the files of a configuration, one of which is at fault where TLS cannot be made of them."""
    pair = f"certfile {config.certfile} and keyfile {config.keyfile}"
    return pair if config.ca_certs is None else f"{pair}, or ca_certs {config.ca_certs},"

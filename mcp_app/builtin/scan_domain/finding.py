"""One finding, and the catalogue of all findings: the code, severity, message and hint of each.

The catalogue is data. `steps/` decides which findings apply, `grading.py` computes the grade from them.
"""

from typing import Literal, NamedTuple

from pydantic import BaseModel, Field

Status = Literal["ok", "warn", "fail", "info", "skipped"]


class Kind(NamedTuple):
    """A row of the catalogue."""

    status: Literal["ok", "warn", "fail", "info"]
    weight: int
    """Points of 100 that the finding costs. 60 and more is grade F by itself."""
    message: str
    hint: str = ""


class Finding(BaseModel):
    """One thing that the scan found out."""

    code: str = Field(description="Stable name of the kind of finding, see the reference page.")
    status: Literal["ok", "warn", "fail", "info"]
    weight: int = Field(ge=0, le=100, description="Points of 100 that it costs.")
    message: str
    detail: str | None = Field(default=None, description="What was seen. May quote the scanned server.")
    hint: str | None = Field(default=None, description="What to do about it.")


def finding(code: str, detail: str | None = None) -> Finding:
    """The finding `code` of the catalogue. Raises KeyError for a code that is not in it."""
    kind = KINDS[code]
    return Finding(
        code=code,
        status=kind.status,
        weight=kind.weight,
        message=kind.message,
        detail=detail,
        hint=kind.hint or None,
    )


_RENEW = "Renew the certificate, and automate renewal (ACME)."

KINDS: dict[str, Kind] = {
    # The scan itself
    "step_timed_out": Kind("warn", 0, "The step did not end in its time; what it found so far is shown."),
    "step_crashed": Kind("warn", 0, "The step failed for a reason of the scanner's own; see the server's log."),
    "not_scanned": Kind("info", 0, "Skipped: the name has no address that may be scanned."),
    # DNS
    "no_such_name": Kind("fail", 100, "The name does not exist.", "Check the spelling; is the domain registered?"),
    "no_address": Kind("fail", 100, "The name has no address.", "Add an A and an AAAA record."),
    "dns_no_answer": Kind("fail", 60, "DNS could not be asked, or did not answer."),
    "address_refused": Kind(
        "fail",
        20,
        "The name has addresses that are not on the public internet; the scan does not connect to them.",
        "Remove them from public DNS. An intranet's own names need the setting MCP_APP_SCAN_ALLOW_NETWORKS.",
    ),
    "addresses": Kind("ok", 0, "The name has public addresses."),
    "no_ipv6": Kind("info", 1, "The name has no IPv6 address.", "Add an AAAA record."),
    "query_failed": Kind("info", 0, "A DNS question got no answer."),
    "single_nameserver": Kind(
        "warn", 5, "The zone has only one name server.", "RFC 2182, 5 asks for at least two, in different networks."
    ),
    "caa_missing": Kind(
        "info", 2, "No CAA record: any authority may issue certificates.", "Add a CAA record (RFC 8659)."
    ),
    "dnssec_ok": Kind("ok", 0, "The zone is signed and linked from its parent (DNSSEC)."),
    "dnssec_missing": Kind("info", 3, "The zone is not signed (DNSSEC).", "Sign the zone and have the DS record set."),
    "dnssec_no_ds": Kind(
        "warn", 3, "The zone is signed but its parent has no DS record.", "Have the registrar set the DS record."
    ),
    "dnssec_broken": Kind(
        "fail",
        20,
        "The parent has a DS record but the zone has no key.",
        "Publish the DNSKEY, or remove the DS record.",
    ),
    "mx_missing": Kind("info", 0, "No MX record: the name takes no mail, or at its own address."),
    "spf_missing": Kind("warn", 5, "No SPF record.", 'Add TXT "v=spf1 … -all" (RFC 7208); without mail: v=spf1 -all.'),
    "spf_many": Kind("fail", 8, "More than one SPF record, which is an error.", "RFC 7208, 4.5: keep exactly one."),
    "spf_open": Kind("fail", 10, "SPF lets any host send mail for the name.", "End the record with ~all or -all."),
    "spf_ok": Kind("ok", 0, "SPF says which hosts may send mail."),
    "dmarc_missing": Kind("warn", 5, "No DMARC record.", 'Add TXT "v=DMARC1; p=reject" at _dmarc (RFC 7489).'),
    "dmarc_many": Kind("fail", 5, "More than one DMARC record, so none counts.", "RFC 7489, 6.6.3: keep exactly one."),
    "dmarc_none": Kind("info", 2, "DMARC only watches (p=none).", "Move on to p=quarantine or p=reject."),
    "dmarc_invalid": Kind("warn", 5, "The DMARC record has no valid policy.", "It needs p=none, quarantine or reject."),
    "dmarc_ok": Kind("ok", 0, "DMARC has a policy that is enforced."),
    # TLS
    "tls_unreachable": Kind("fail", 60, "No TLS connection could be made.", "Serve HTTPS on port 443."),
    "certificate_ok": Kind("ok", 0, "The certificate is valid and trusted."),
    "certificate_expired": Kind("fail", 60, "The certificate has expired.", _RENEW),
    "certificate_not_yet_valid": Kind(
        "fail", 60, "The certificate is not valid yet.", "Check the dates and the clock."
    ),
    "certificate_wrong_name": Kind(
        "fail", 60, "The certificate is for another name.", "Issue one whose subjectAltName has this name (RFC 9525)."
    ),
    "certificate_self_signed": Kind(
        "fail", 60, "The certificate is self-signed.", "Use one of a public authority, for instance by ACME."
    ),
    "certificate_untrusted": Kind(
        "fail",
        60,
        "The certificate does not lead to a trusted authority.",
        "Send the whole chain of a public authority.",
    ),
    "certificate_unreadable": Kind("fail", 60, "The certificate could not be read.", _RENEW),
    "certificate_expires_soon": Kind("warn", 10, "The certificate expires soon.", _RENEW),
    "key_weak": Kind(
        "fail", 30, "The certificate's key is too short.", "Use ECDSA P-256, or RSA of 2048 bits or more."
    ),
    "signature_weak": Kind("fail", 30, "The certificate is signed with a broken hash.", _RENEW),
    "protocol_old": Kind("fail", 30, "The server speaks no TLS newer than 1.1.", "Turn on TLS 1.2 and 1.3 (RFC 8996)."),
    "protocol_not_newest": Kind("info", 1, "The server does not speak TLS 1.3.", "Turn on TLS 1.3 (RFC 8446)."),
    "cipher_weak": Kind(
        "warn", 5, "The cipher has no forward secrecy or no AEAD.", "Prefer ECDHE with AES-GCM or ChaCha20."
    ),
    # HTTP
    "https_unreachable": Kind("fail", 60, "No answer over HTTPS.", "Serve HTTPS on port 443."),
    "https_works": Kind("ok", 0, "The site answers over HTTPS."),
    "http2_missing": Kind("info", 2, "No HTTP/2.", "Offer h2 by ALPN (RFC 9113, 3.3)."),
    "http11_missing": Kind("info", 1, "No HTTP/1.1 over TLS; older clients are left out."),
    "http3_advertised": Kind("ok", 0, "HTTP/3 is advertised by Alt-Svc."),
    "server_error": Kind("warn", 10, "The start page answers with a server error."),
    "client_error": Kind("info", 0, "The start page answers with a client error."),
    # Redirects
    "http_closed": Kind("info", 0, "Nothing answers plain HTTP, so there is nothing to redirect."),
    "https_redirect": Kind("ok", 0, "Plain HTTP leads to HTTPS."),
    "https_redirect_missing": Kind(
        "fail", 15, "Plain HTTP does not lead to HTTPS.", "Redirect every request to https:// (301 or 308)."
    ),
    "redirect_downgrade": Kind("fail", 15, "A redirect leads from HTTPS back to HTTP.", "Redirect to https:// only."),
    "redirect_temporary": Kind(
        "info", 0, "The redirect to HTTPS is temporary.", "301 or 308 is remembered by browsers."
    ),
    "redirect_loop": Kind("fail", 20, "The redirects go round in a circle."),
    "redirect_too_many": Kind("fail", 15, "There are more redirects than a scan follows."),
    "redirect_refused": Kind(
        "fail", 20, "A redirect leads where a scan does not go.", "Redirect to public hosts, ports 80 and 443."
    ),
    "redirect_broken": Kind("fail", 15, "A redirect leads to something that does not answer."),
    # Headers
    "headers_unreachable": Kind("info", 0, "No page was answered, so there are no headers to judge."),
    "headers_many": Kind("warn", 1, "The answer has unusually many headers; only the first are shown."),
    "hsts_ok": Kind("ok", 0, "HSTS is on."),
    "hsts_missing": Kind(
        "warn", 10, "No Strict-Transport-Security.", "Strict-Transport-Security: max-age=31536000 (RFC 6797)."
    ),
    "hsts_short": Kind("warn", 4, "HSTS lasts less than 180 days.", "Use max-age=31536000."),
    "hsts_invalid": Kind(
        "warn", 10, "Strict-Transport-Security has no valid max-age.", "RFC 6797, 6.1.1: max-age=31536000."
    ),
    "csp_ok": Kind("ok", 0, "A Content-Security-Policy limits what scripts may run."),
    "csp_missing": Kind("warn", 6, "No Content-Security-Policy.", "Start with default-src 'self'."),
    "csp_weak": Kind(
        "info",
        2,
        "The Content-Security-Policy does not stop injected scripts.",
        "Use nonces instead of 'unsafe-inline'.",
    ),
    "nosniff_missing": Kind("warn", 4, "No X-Content-Type-Options: nosniff.", "Add X-Content-Type-Options: nosniff."),
    "referrer_policy_missing": Kind(
        "info", 2, "No Referrer-Policy.", "Referrer-Policy: strict-origin-when-cross-origin."
    ),
    "frames_allowed": Kind(
        "warn", 4, "Any site may show this one in a frame.", "CSP frame-ancestors, or X-Frame-Options: DENY."
    ),
    "permissions_policy_missing": Kind("info", 1, "No Permissions-Policy.", "Turn off what the site does not use."),
    "cookie_unsafe": Kind("warn", 4, "A cookie lacks Secure, HttpOnly or SameSite.", "Set all three (RFC 6265)."),
    "version_shown": Kind("info", 1, "A header tells the server software's version.", "Leave versions out."),
    # Files
    "files_unreachable": Kind("info", 0, "The files could not be asked for."),
    "file_found": Kind("ok", 0, "The file is there and valid."),
    "file_missing": Kind("info", 0, "The file is not there."),
    "file_invalid": Kind("warn", 2, "The file is there but not valid."),
    "security_txt_missing": Kind("info", 2, "No security.txt.", "Serve /.well-known/security.txt (RFC 9116)."),
    "security_txt_expired": Kind("warn", 3, "security.txt has expired.", "RFC 9116, 2.5.5: set a new Expires."),
    "security_txt_misplaced": Kind(
        "info", 0, "security.txt is only at the old place.", "RFC 9116, 3: /.well-known/security.txt."
    ),
    "file_cut": Kind("info", 0, "The file is larger than a scan reads; its beginning was judged."),
}

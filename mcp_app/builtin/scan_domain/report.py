"""The results of a scan: a model for each step, and the report at the end. Data only; nothing is decided here.

A step is streamed when it ends and repeated in the report, for callers that only see the result.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mcp_app.builtin.scan_domain.finding import Finding, Status

Grade = Literal["A", "B", "C", "D", "E", "F", "unknown"]


class StepResult(BaseModel):
    """What every step has. A step fills itself in as it goes, so that one that is stopped shows what it has."""

    step: str
    status: Status = "info"
    summary: str = ""
    findings: list[Finding] = []
    duration_ms: int = Field(default=0, ge=0)

    def add(self, *findings: Finding) -> None:
        self.findings.extend(findings)


class DnsRecord(BaseModel):
    name: str
    type: str
    ttl: int
    value: str


class Dnssec(BaseModel):
    validated: bool = Field(default=False, description="The resolver set the AD flag (RFC 4035, 3.2.3).")
    ds: bool | None = Field(default=None, description="The parent has a DS record; null: not known.")
    dnskey: bool | None = Field(default=None, description="The zone has a DNSKEY record; null: not known.")


class DnsStep(StepResult):
    step: Literal["dns"] = "dns"
    zone: str | None = Field(default=None, description="The zone that the name is in.")
    records: list[DnsRecord] = []
    dnssec: Dnssec = Dnssec()
    spf: str | None = None
    dmarc: str | None = None


class Certificate(BaseModel):
    subject: str
    issuer: str
    names: list[str] = Field(description="The names of subjectAltName.")
    not_before: str
    not_after: str
    serial: str
    key: str = Field(description="Algorithm and size, such as 'EC 256'.")
    signature_hash: str | None
    sha256: str = Field(description="Fingerprint.")


class TlsStep(StepResult):
    step: Literal["tls"] = "tls"
    address: str | None = None
    protocol: str | None = None
    cipher: str | None = None
    alpn: str | None = None
    valid: bool | None = Field(
        default=None, description="Whether the certificate is valid and trusted; null: not known."
    )
    days_left: int | None = None
    chain: list[Certificate] = Field(default=[], description="As the server sent it, its own first.")


class HttpStep(StepResult):
    step: Literal["http"] = "http"
    versions: list[str] = []
    alt_svc: str | None = None
    status_code: int | None = None
    server: str | None = None


class Hop(BaseModel):
    url: str
    status_code: int | None = None
    location: str | None = None
    address: str | None = None
    problem: str | None = None


class RedirectsStep(StepResult):
    step: Literal["redirects"] = "redirects"
    hops: list[Hop] = []


class Header(BaseModel):
    name: str
    value: str


class HeadersStep(StepResult):
    step: Literal["headers"] = "headers"
    url: str | None = None
    status_code: int | None = None
    headers: list[Header] = []


class SiteFile(BaseModel):
    path: str
    present: bool
    valid: bool | None = Field(default=None, description="null: not there.")
    status_code: int | None = None
    content_type: str | None = None
    bytes: int | None = Field(default=None, description="Bytes read, at most the scan's bound.")
    problem: str | None = None
    fields: dict[str, str] = Field(default={}, description="What the file says, in short.")


class FilesStep(StepResult):
    step: Literal["files"] = "files"
    files: list[SiteFile] = []


Step = Annotated[
    DnsStep | TlsStep | HttpStep | RedirectsStep | HeadersStep | FilesStep,
    Field(discriminator="step"),
]


class RankedFinding(Finding):
    """A finding in the report, which says of which step it is."""

    step: str


class Report(BaseModel):
    """The result of scan_domain."""

    domain: str = Field(description="The scanned name as A-labels.")
    grade: Grade = Field(description="A (best) to F, or unknown when nothing could be measured.")
    score: int | None = Field(ge=0, le=100, description="100 less the weights of all findings; null: unknown.")
    verdict: str = Field(description="The grade and its main reasons in a sentence.")
    findings: list[RankedFinding] = Field(description="Heaviest first.")
    steps: list[Step] = Field(description="In the order in which they ended.")

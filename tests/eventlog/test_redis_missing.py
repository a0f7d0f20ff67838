"""Where the extra `redis` is not installed, a start says what to install."""

from __future__ import annotations

import sys

import pytest

from mcp_app.config.settings import Settings
from mcp_app.eventlog.configured import shared_log
from mcp_app.protocol.errors import LogRefused


@pytest.mark.parametrize("lacking", ["redis", "cryptography"])
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    for name in [name for name in sys.modules if name.startswith("mcp_app.eventlog.redis")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == lacking]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, lacking, None)
    settings = Settings.model_validate({"event_log": "redis://u:s3cret@log", "secret": "a-secret-that-is-long-enough"})
    with pytest.raises(LogRefused) as caught:
        shared_log(settings)
    assert f"needs {lacking}" in str(caught.value)
    assert "pip install 'redis[hiredis]' cryptography" in str(caught.value)
    assert "s3cret" not in str(caught.value)

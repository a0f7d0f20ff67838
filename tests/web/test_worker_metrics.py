"""The metrics of several processes as one page."""

from __future__ import annotations

from mcp_app.web.worker_metrics import labelled

ONE = """\
# HELP mcp_app_streams_open Event streams open now.
# TYPE mcp_app_streams_open gauge
mcp_app_streams_open 3
# HELP mcp_app_runs_ended_total Runs ended, by how.
# TYPE mcp_app_runs_ended_total counter
mcp_app_runs_ended_total{code="complete"} 7
mcp_app_runs_ended_total{code="left"} 1
"""

TWO = """\
# HELP mcp_app_streams_open Event streams open now.
# TYPE mcp_app_streams_open gauge
mcp_app_streams_open 4
# HELP mcp_app_runs_ended_total Runs ended, by how.
# TYPE mcp_app_runs_ended_total counter
# HELP mcp_app_new_total Of a newer release.
# TYPE mcp_app_new_total counter
mcp_app_new_total 1.5
"""


def test_each_number_has_its_worker_and_a_metric_s_lines_stay_together() -> None:
    assert labelled({2: TWO, 1: ONE}) == (
        """\
# HELP mcp_app_workers Workers that serve.
# TYPE mcp_app_workers gauge
mcp_app_workers 2
# HELP mcp_app_streams_open Event streams open now.
# TYPE mcp_app_streams_open gauge
mcp_app_streams_open{worker="1"} 3
mcp_app_streams_open{worker="2"} 4
# HELP mcp_app_runs_ended_total Runs ended, by how.
# TYPE mcp_app_runs_ended_total counter
mcp_app_runs_ended_total{worker="1",code="complete"} 7
mcp_app_runs_ended_total{worker="1",code="left"} 1
# HELP mcp_app_new_total Of a newer release.
# TYPE mcp_app_new_total counter
mcp_app_new_total{worker="2"} 1.5
"""
    )


def test_a_meaning_that_a_newer_release_words_otherwise_stands_once() -> None:
    newer = ONE.replace("Event streams open now.", "Open streams.")
    page = labelled({1: ONE, 2: newer})
    assert page.count("# HELP mcp_app_streams_open") == 1
    assert page.count("# TYPE mcp_app_streams_open") == 1


def test_a_label_may_have_braces_and_spaces() -> None:
    rule = '# TYPE m counter\nm{limit="calls of {x} per principal"} 1\n'
    assert labelled({1: rule}).endswith('m{worker="1",limit="calls of {x} per principal"} 1\n')

"""Which runs are forgotten when more are kept than may be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcp_app.eventlog.quota import ALL, PRINCIPAL, KeptRun, Quota, beyond

MANY = 10**9
NONE = Quota(MANY, MANY, MANY, MANY)


def kept(*names: str, size: int = 10) -> list[KeptRun]:
    """`a1` is a's, `a2!` too, and read."""
    return [KeptRun(name.rstrip("!"), name[0], size, name.endswith("!")) for name in names]


def test_what_fits_is_kept() -> None:
    runs = kept("a1", "b1", "a2")
    assert beyond(runs, NONE) == {}
    assert beyond(runs, Quota(3, 30, 2, 20)) == {}
    assert beyond([], Quota(0, 0, 0, 0)) == {}


def test_the_newest_of_all_stays_whatever_its_size() -> None:
    assert beyond(kept("b1", "a1", size=1000), Quota(0, 0, MANY, MANY)) == {"b1": ALL}


def test_a_principal_loses_its_own_oldest() -> None:
    runs = kept("a1", "b1", "a2", "a3", "b2")
    assert beyond(runs, NONE._replace(principal_runs=2)) == {"a1": PRINCIPAL}
    assert beyond(runs, NONE._replace(principal_bytes=15)) == {"a1": PRINCIPAL, "a2": PRINCIPAL, "b1": PRINCIPAL}


def test_its_newest_stays_whatever_its_size() -> None:
    assert beyond(kept("a1", "a2", size=1000), NONE._replace(principal_bytes=1)) == {"a1": PRINCIPAL}
    assert beyond(kept("a1", "a2!", size=1000), NONE._replace(principal_runs=0)) == {"a1": PRINCIPAL}


def test_beyond_all_who_has_most_loses_its_oldest() -> None:
    runs = kept("b1", "a1", "a2", "a3")
    assert beyond(runs, NONE._replace(runs=3)) == {"a1": ALL}
    assert beyond(runs, NONE._replace(bytes=20)) == {"a1": ALL, "a2": ALL}
    large = [*kept("b1", size=100), *kept("a1", "a2", "a3")]
    assert beyond(large, NONE._replace(bytes=50)) == {"b1": ALL}
    assert beyond(large, NONE._replace(runs=3)) == {"a1": ALL}


def test_what_is_read_stays() -> None:
    runs = kept("a1!", "a2", "a3", "b1!")
    assert beyond(runs, NONE._replace(principal_runs=2)) == {"a2": PRINCIPAL}
    assert beyond(runs, Quota(0, 0, MANY, MANY)) == {"a2": ALL, "a3": ALL}


@given(
    runs=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.booleans()), max_size=30),
    quota=st.builds(Quota, *[st.integers(0, most) for most in (20, 500, 10, 200)]),
)
def test_no_more_than_may_be_and_no_fewer_than_need_be(runs: list[tuple[str, int, bool]], quota: Quota) -> None:
    all_runs = [KeptRun(str(at), *run) for at, run in enumerate(runs)]
    forgotten = beyond(all_runs, quota)
    left = [run for run in all_runs if run.id not in forgotten]
    assert not any(run.read for run in all_runs if run.id in forgotten)
    assert all_runs[-1:] == left[-1:], "the newest stays"
    idle = [run for run in left[:-1] if not run.read]
    assert not idle or (len(left) <= quota.runs and sum(run.bytes for run in left) <= quota.bytes)
    for principal in "abc":
        own = [run for run in left if run.principal == principal]
        newest = [run for run in all_runs if run.principal == principal][-1:]
        if any(not run.read for run in own if run not in newest):
            assert len(own) <= quota.principal_runs
            assert sum(run.bytes for run in own) <= quota.principal_bytes
        idle_before = [run for run in all_runs if run.principal == principal and not run.read]
        gone = [run for run in idle_before if run.id in forgotten]
        assert gone == idle_before[: len(gone)], "the oldest go first"
    for undone in forgotten:
        more = [run for run in all_runs if run.id not in forgotten or run.id == undone]
        if forgotten[undone] == PRINCIPAL:
            owner = next(run.principal for run in all_runs if run.id == undone)
            own = [run for run in all_runs if run.principal == owner]
            assert len(own) > quota.principal_runs or sum(run.bytes for run in own) > quota.principal_bytes
        else:
            assert len(more) > quota.runs or sum(run.bytes for run in more) > quota.bytes or len(forgotten) > 1

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ft_bench.budget import Budget, Meter
from ft_bench.errors import BudgetExhausted
from ft_bench.record import Planned, Reserved, Settled, Usage
from ft_bench.testing.records import plan, trained

LIMITS = Budget(iterations=2, device_seconds=100.0, tokens=1000, usd=1.0)


def test_a_limit_of_none_is_infinite() -> None:
    meter = Meter(Budget(device_seconds=None))
    assert meter.remaining("device_seconds") == float("inf")
    meter.check(Usage(device_seconds=1e12, tokens=10**9), "a long job")


@pytest.mark.parametrize("field", ["iterations", "device_seconds", "tokens", "usd"])
def test_a_negative_limit_is_refused(field: str) -> None:
    with pytest.raises(ValidationError):
        Budget(**{field: -1})


@pytest.mark.parametrize(
    ("amount", "limit", "flag"),
    [
        (Usage(iterations=3), "iterations", "--budget.iterations"),
        (Usage(device_seconds=101), "device_seconds", "--budget.device-hours"),
        (Usage(tokens=1001), "tokens", "--budget.tokens"),
        (Usage(usd=1.01), "usd", "--budget.usd"),
    ],
)
def test_what_would_overrun_is_refused_by_name(amount: Usage, limit: str, flag: str) -> None:
    with pytest.raises(BudgetExhausted, match=f"the job needs .* are left; raise {flag}") as caught:
        Meter(LIMITS).check(amount, "the job")
    assert caught.value.limit == limit


def test_exactly_what_is_left_may_be_used() -> None:
    Meter(LIMITS).check(Usage(iterations=2, device_seconds=100, tokens=1000, usd=1.0), "all")


def test_only_nodes_below_the_root_cost_an_iteration() -> None:
    meter = Meter(LIMITS)
    meter.apply(Planned(node=0, parent=None, plan=plan()))
    assert meter.spent.iterations == 0
    meter.apply(Planned(node=1, parent=0, plan=plan(2e-4)))
    assert meter.spent.iterations == 1
    assert meter.remaining("iterations") == 1


def test_a_reservation_holds_until_it_is_settled() -> None:
    meter = Meter(LIMITS)
    meter.apply(Reserved(reservation="a", amount=Usage(device_seconds=60), purpose="x"))
    assert meter.remaining("device_seconds") == 40
    assert meter.spent == Usage()
    with pytest.raises(BudgetExhausted):
        meter.check(Usage(device_seconds=41), "another")
    meter.apply(Settled(reservation="a", used=Usage(device_seconds=10)))
    assert meter.remaining("device_seconds") == 90
    assert meter.spent.device_seconds == 10


def test_other_events_cost_nothing() -> None:
    meter = Meter.of(LIMITS, [trained(0)])
    assert meter.spent == Usage()


Work = st.tuples(st.floats(0.1, 60), st.floats(0, 1), st.integers(0, 3))


@given(st.lists(Work, max_size=30))
def test_no_order_of_reservations_passes_a_limit(works: list[tuple[float, float, int]]) -> None:
    """Each work reserves, and one of those that are open may end before the next one asks."""
    meter, bodies = Meter(LIMITS), []
    for number, (asked, share, ends) in enumerate(works):
        amount = Usage(device_seconds=asked)
        try:
            meter.check(amount, "work")
        except BudgetExhausted:
            continue
        bodies.append(Reserved(reservation=f"w{number}", amount=amount, purpose="work"))
        meter.apply(bodies[-1])
        before = meter.spent
        if ends < len(meter.open):
            name = list(meter.open)[ends]
            used = Usage(device_seconds=share * meter.open[name].device_seconds)
            bodies.append(Settled(reservation=name, used=used))
            meter.apply(bodies[-1])
        held = sum(use.device_seconds for use in meter.open.values())
        assert meter.spent.device_seconds + held <= 100 + 1e-9
        assert meter.spent.device_seconds >= before.device_seconds
    again = Meter.of(LIMITS, bodies)
    assert (again.spent, again.open) == (meter.spent, meter.open)

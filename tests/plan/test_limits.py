"""The first limit: which resource is not enough first, and at how many tracks."""

import pytest

from audioae.plan.estimate import make_plan
from audioae.plan.limits import broken, first_limit
from audioae.plan.machine import Machine, this_machine
from audioae.plan.resources import Resources
from tests.plan.made import config, rates

LARGE = Machine(memory=2.0**50, disk=None)


def plan_of(n: int, workers: int = 10):
    return make_plan(n, config(), rates(), Resources(workers=workers))


def test_the_disk_breaks_where_the_store_no_longer_fits():
    per_track = plan_of(2_000_000).disk - plan_of(1_000_000).disk
    limit = first_limit(plan_of, 1_000, Machine(memory=2.0**50, disk=per_track))
    assert limit
    assert limit.name == "disk"
    assert limit.n == pytest.approx(1_000_000, rel=0.03)
    assert "mels.max_stored_tracks" in limit.words


def test_a_limit_below_the_asked_number_is_found_too():
    above = first_limit(plan_of, 1_000, Machine(memory=2.0**50, disk=1e12))
    below = first_limit(plan_of, 500_000_000, Machine(memory=2.0**50, disk=1e12))
    assert above
    assert below
    assert above.name == below.name == "disk"
    assert below.n == pytest.approx(above.n, rel=0.03)


def test_time_breaks_later_with_more_workers():
    few, many = (first_limit(lambda n, w=w: plan_of(n, w), 1_000, LARGE) for w in (2, 4))
    assert few
    assert many
    assert few.name == many.name == "time"
    assert many.n > 1.5 * few.n


def test_memory_names_the_stage_that_needs_most():
    (name, words), *_ = broken(plan_of(50_000_000), Machine(memory=2.0**30, disk=None))
    assert name == "memory"
    assert "screen needs" in words
    assert "1.0 GiB" in words


def test_an_index_that_fits_nothing_is_a_limit_not_an_error():
    def plan_of_small_index(n: int):
        return make_plan(n, config(index={"memory_bytes": 10_000_000}), rates(), Resources(workers=10))

    limit = first_limit(plan_of_small_index, 1_000, LARGE)
    assert limit
    assert limit.name == "index"
    assert "index.memory_bytes" in limit.words


def test_the_disk_is_that_of_the_folder_in_which_the_store_will_be(tmp_path):
    there, not_yet = this_machine(str(tmp_path)), this_machine(str(tmp_path / "a" / "b"))
    assert there.disk is not None
    assert not_yet.disk == pytest.approx(there.disk, rel=0.1)
    assert there.memory > 2**29
    assert this_machine("s3://bucket/store").disk is None

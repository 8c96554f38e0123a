"""A plan is arithmetic: time, disk, memory, requests and price follow from rates, and are linear in tracks."""

import pytest

from audioae.plan.estimate import make_plan
from audioae.plan.resources import ASSUMED_CLIPS_PER_S, Resources
from tests.plan.made import config, rates

N = 1_000_000


def stages(n: int = N, resources: Resources | None = None, **sections):
    plan = make_plan(n, config(**sections), rates(), resources or Resources(workers=10))
    return {stage.stage: stage for stage in plan.stages}


def test_decoding_takes_the_worker_seconds_of_all_stored_tracks_shared_by_the_workers():
    mels = stages()["mels"]
    assert (mels.worker_s, mels.seconds) == pytest.approx((N * 0.1, N * 0.1 / 10))
    assert mels.disk == pytest.approx(N * (20 * 15_000 + 201))


def test_without_a_gpu_decoding_and_the_model_share_the_workers():
    embed = stages(mels={"max_stored_tracks": 100_000})["embed"]
    assert embed.worker_s == pytest.approx((N - 100_000) * 0.1 + N * 20 * 0.002)
    assert embed.seconds == pytest.approx(embed.worker_s / 10)
    assert embed.gpu_s == 0


def test_with_a_gpu_decoding_and_the_model_overlap_and_the_assumption_is_said():
    embed = stages(resources=Resources(workers=10, gpus=2), mels={"max_stored_tracks": 100_000})["embed"]
    assert embed.seconds == pytest.approx(max(900_000 * 0.1 / 10, N * 20 / ASSUMED_CLIPS_PER_S / 2))
    assert (embed.worker_s, embed.gpu_s) == pytest.approx((90_000, N * 20 / ASSUMED_CLIPS_PER_S))
    assert "assumed" in embed.basis
    assert "none was measured" in embed.basis


def test_a_measured_gpu_is_not_assumed():
    plan = make_plan(N, config(), rates(device="NVIDIA A", encode_s=1e-4), Resources(workers=10, gpus=1))
    embed = next(stage for stage in plan.stages if stage.stage == "embed")
    assert (embed.gpu_s, "assumed" in embed.basis) == (pytest.approx(N * 20 * 1e-4), False)


@pytest.mark.parametrize("stage", ["catalog", "mels", "embed", "map", "screen"])
def test_work_and_disk_are_linear(stage):
    small, large = stages(10 * N)[stage], stages(100 * N)[stage]
    assert large.worker_s == pytest.approx(10 * small.worker_s, rel=0.02)
    assert large.disk == pytest.approx(10 * small.disk)


def test_the_price_is_that_of_workers_and_gpus():
    prices = Resources(workers=10, gpus=2, price_per_hour=0.05, gpu_price_per_hour=3.0)
    embed = stages(resources=prices)["embed"]
    assert embed.cost == pytest.approx((embed.worker_s * 0.05 + embed.gpu_s * 3.0) / 3600)
    plan = make_plan(N, config(), rates(), prices)
    assert plan.cost == pytest.approx(sum(stage.cost or 0 for stage in plan.stages))


def test_a_plan_without_prices_has_no_cost():
    assert make_plan(N, config(), rates(), Resources(workers=10)).cost is None


def test_task_runs_stay_below_the_limit_of_prefect_at_any_size():
    plan = make_plan(100_000_000, config(), rates(), Resources(workers=10))
    assert plan.task_runs == 2 * config().run.max_tasks
    assert plan.database == 25_000 * (plan.task_runs + 8)


def test_the_index_is_the_one_that_would_be_built():
    plan = make_plan(1_000, config(), rates(), Resources(workers=10))
    assert (plan.index.factory, plan.index.bytes) == ("Flat", 512_000)
    large = make_plan(N, config(index={"memory_bytes": 200_000_000}), rates(), Resources(workers=10)).index
    assert "SQ8" in large.factory
    assert large.bytes <= 200_000_000


@pytest.mark.parametrize(("factory", "per_vector"), [("Flat", 512), ("IVF,SQ8", 144), ("HNSW32", 584)])
def test_a_factory_of_the_config_has_the_size_of_its_family(factory, per_vector):
    index = make_plan(N, config(index={"factory": factory}), rates(), Resources(workers=10)).index
    assert index.bytes / N == pytest.approx(per_vector, rel=0.02)

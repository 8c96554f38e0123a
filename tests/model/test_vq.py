"""The quantizer against numbers computed by hand."""

import pytest
import torch

from audioae.model.vq import DEAD_SHARE, Quantizer, laplace, nearest, perplexity


def quantizer(codes: list[list[float]], decay: float = 0.9) -> Quantizer:
    """Build a quantizer with one codebook of the given codes, each with a count of 1."""
    book = torch.tensor(codes)
    vq = Quantizer(dim=book.shape[1], groups=1, codebook_size=len(book), levels=1, shared=False, decay=decay)
    vq.codebooks[0, 0] = book
    vq.sums[0, 0] = book
    vq.counts.fill_(1.0)
    vq.initialized.fill_(True)
    return vq


def test_every_vector_is_replaced_by_its_nearest_code():
    vq = quantizer([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]]).eval()
    out = vq(torch.tensor([[0.1, -0.2], [0.6, 0.1], [0.4, 2.0]]))
    torch.testing.assert_close(out.z, torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]]))
    assert out.codes.tolist() == [[[0, 1, 2]]]


def test_nearest_agrees_with_cdist():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(3, 50, 8, generator=generator)
    codebooks = torch.randn(3, 20, 8, generator=generator)
    assert torch.equal(nearest(vectors, codebooks), torch.cdist(vectors, codebooks).argmin(dim=2))


def test_the_moving_averages_agree_with_a_step_by_hand():
    vq = quantizer([[0.0, 0.0], [4.0, 0.0]], decay=0.9).train()
    vq(torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 0.0]]))
    counts = torch.tensor([0.9 * 1 + 0.1 * 2, 0.9 * 1 + 0.1 * 1])
    sums = torch.tensor([[0.1 * 1.0, 0.1 * 1.0], [0.9 * 4 + 0.1 * 3.0, 0.0]])
    torch.testing.assert_close(vq.counts[0, 0], counts)
    torch.testing.assert_close(vq.sums[0, 0], sums)
    torch.testing.assert_close(vq.codebooks[0, 0], sums / laplace(counts).unsqueeze(1))


def test_smoothing_keeps_the_total_and_removes_zeros():
    smoothed = laplace(torch.tensor([0.0, 3.0, 5.0]), epsilon=0.5)
    torch.testing.assert_close(smoothed, torch.tensor([0.5, 3.5, 5.5]) / 9.5 * 8)


def test_gradients_pass_straight_through():
    vq = quantizer([[0.0, 0.0], [1.0, 0.0]]).eval()
    z = torch.tensor([[0.2, 0.3], [0.9, -0.4]], requires_grad=True)
    slope = torch.tensor([[1.0, -2.0], [3.0, 0.5]])
    (vq(z).z * slope).sum().backward()
    assert z.grad is not None
    assert torch.equal(z.grad, slope)


def test_commitment_moves_the_vector_and_not_the_code():
    vq = quantizer([[0.0, 0.0], [1.0, 0.0]]).eval()
    z = torch.tensor([[0.2, 0.4]], requires_grad=True)
    commitment = vq(z).commitment
    commitment.backward()
    assert commitment.item() == pytest.approx((0.2**2 + 0.4**2) / 2)
    torch.testing.assert_close(z.grad, torch.tensor([[0.2, 0.4]]))


def test_a_dead_code_restarts_at_a_vector_of_the_batch():
    vq = quantizer([[0.0, 0.0], [100.0, 100.0]], decay=0.5).train()
    batch = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, 0.5]])
    for _ in range(10):
        if vq.counts[0, 0, 1] * 0.5 < DEAD_SHARE * len(batch) / 2:
            break
        vq(batch)
    assert vq.codebooks[0, 0, 1, 0] > 50
    vq(batch)
    distance = (batch - vq.codebooks[0, 0, 1]).norm(dim=1).min()
    assert distance < 1e-3


def test_perplexity_counts_the_codes_in_use():
    assert perplexity(torch.tensor([0.25, 0.25, 0.25, 0.25, 0.0])).item() == pytest.approx(4)
    assert perplexity(torch.tensor([1.0, 0.0])).item() == pytest.approx(1)


def test_restarts_do_not_hide_a_collapse():
    """With identical vectors, dead codes restart forever, and the perplexity still falls to 1."""
    vq = Quantizer(dim=8, groups=2, codebook_size=16, levels=1, shared=False, decay=0.8).train()
    same = torch.ones(64, 8)
    for _ in range(40):
        out = vq(same)
    assert out.perplexity.item() < 1.05
    assert out.dead_codes.item() == 2 * 15


def test_kmeans_start_finds_clusters():
    generator = torch.Generator().manual_seed(1)
    centers = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    z = centers.repeat(25, 1) + 0.1 * torch.randn(100, 2, generator=generator)
    vq = Quantizer(dim=2, groups=1, codebook_size=4, levels=1, shared=False, decay=0.99).train()
    vq(z)
    assert bool(vq.initialized)
    assert torch.cdist(centers, vq.codebooks[0, 0]).min(dim=1).values.max() < 0.2


def test_each_residual_level_reduces_the_error():
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(512, 8, generator=generator)
    errors = []
    for levels in (1, 2, 4):
        vq = Quantizer(dim=8, groups=1, codebook_size=32, levels=levels, shared=False, decay=0.9).train()
        vq(z)
        errors.append((vq.eval()(z).z - z).square().mean().item())
    assert errors[0] > 1.5 * errors[1] > 2.25 * errors[2]


def test_shared_and_product_codebooks_split_the_vector_in_the_same_way():
    z = torch.randn(6, 8, generator=torch.Generator().manual_seed(3))
    product = Quantizer(dim=8, groups=2, codebook_size=4, levels=1, shared=False, decay=0.9).eval()
    shared = Quantizer(dim=8, groups=2, codebook_size=4, levels=1, shared=True, decay=0.9).eval()
    book = torch.randn(4, 4, generator=torch.Generator().manual_seed(4))
    product.codebooks[0] = book
    shared.codebooks[0, 0] = book
    first, second = product(z), shared(z)
    torch.testing.assert_close(first.z, second.z)
    assert torch.equal(first.codes, second.codes)
    for part in (slice(0, 4), slice(4, 8)):
        expected = book[torch.cdist(z[:, part], book).argmin(dim=1)]
        torch.testing.assert_close(first.z[:, part], expected)


def test_a_restored_quantizer_continues_exactly():
    batches = torch.randn(6, 32, 8, generator=torch.Generator().manual_seed(5))

    def fresh() -> Quantizer:
        return Quantizer(dim=8, groups=2, codebook_size=8, levels=2, shared=False, decay=0.9).train()

    whole, first, second = fresh(), fresh(), fresh()
    for batch in batches:
        whole(batch)
    for batch in batches[:3]:
        first(batch)
    second.load_state_dict(first.state_dict())
    for batch in batches[3:]:
        second(batch)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


@pytest.mark.parametrize(
    ("levels", "shared"), [(1, False), (1, True), (3, False)], ids=["product", "shared", "residual"]
)
def test_assigned_codes_are_those_of_the_forward_pass(levels: int, shared: bool):
    vq = Quantizer(dim=8, groups=2, codebook_size=5, levels=levels, shared=shared, decay=0.9).eval()
    vq.codebooks.copy_(torch.randn(vq.codebooks.shape, generator=torch.Generator().manual_seed(0)))
    z = torch.randn(20, 8, generator=torch.Generator().manual_seed(1))
    codes, distances = vq.assign(z)
    out = vq(z)
    assert torch.equal(codes, out.codes)
    torch.testing.assert_close(distances[-1].T, (z - out.z).view(20, 2, 4).norm(dim=2))
    parts = vq.books().gather(2, codes.unsqueeze(3).expand(-1, -1, -1, 4))
    torch.testing.assert_close(parts.sum(dim=0).transpose(0, 1).flatten(1), out.z)

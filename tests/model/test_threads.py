"""The number of threads that torch computes on."""

import torch

from audioae.model.threads import cpu_threads


def test_the_number_of_threads_is_set_inside_and_restored_afterwards():
    before = torch.get_num_threads()
    with cpu_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before

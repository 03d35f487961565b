"""What is counted."""

import torch

from augment.models.gauge import Gauge, operations
from augment.models.runtime import Runtime

CPU = Gauge(Runtime("cpu"))


def test_operations_are_those_of_products_and_convolutions() -> None:
    linear, convolution = torch.nn.Linear(10, 20), torch.nn.Conv2d(3, 8, 3)

    def work() -> None:
        with torch.inference_mode():  # as painters run
            linear(torch.zeros(7, 10))
            convolution(torch.zeros(2, 3, 6, 9))

    assert operations(work) == 2 * 7 * 10 * 20 + 2 * 2 * 8 * 3 * 9 * 4 * 7


def test_the_peak_is_that_of_a_product_of_matrices() -> None:
    best = CPU.peak(256)
    seconds = CPU.cost(lambda: [torch.ones(256, 256) @ torch.ones(256, 256) for _ in range(20)]).seconds / 20
    assert best > 0.2 * 2 * 256**3 / seconds
    assert CPU.held() == 0

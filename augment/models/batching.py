"""Networks that several threads ask at once: pictures of cameras and episodes in the same hands share batches."""

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from augment.models.base import BoxMasks, Detections, Detector, PromptedSegmenter

Picture = UInt8[np.ndarray, "_ _ 3"]


@dataclass(frozen=True, eq=False)
class _Request:
    picture: Picture
    key: Hashable
    """Pictures of the same key may go through the network together."""
    answer: "Future[Any]" = field(default_factory=Future)


class Batches:
    """Takes the pictures of all threads through one network, a batch at a time.

    While the network runs, requests gather; whoever is next takes along what others wait for. Nobody waits for others
    while the network is idle, so that a thread that is slow, or dies, holds up none. The network always gets exactly
    `size` pictures, the last one repeated: its rounding depends on their number, and an answer must not depend on who
    else asked.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.turn = Lock()
        """Held by the thread that uses the network."""
        self._waiting: list[_Request] = []
        self._guard = Lock()

    def ask(
        self,
        network: Callable[[list[Picture]], Sequence[Any]],
        pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        keys: Sequence[Hashable],
    ) -> list[Any]:
        """What the network answers for each picture; raises what it raises for a batch that one of them is in.

        `network`: the same for the same key, and independent of a picture's neighbours.
        """
        mine = [_Request(picture, key) for picture, key in zip(pictures, keys, strict=True)]
        with self._guard:
            self._waiting += mine
        try:
            return [self._answer(request, mine, network) for request in mine]
        finally:
            self._remove(mine)

    def _answer(
        self, request: _Request, mine: Sequence[_Request], network: Callable[[list[Picture]], Sequence[Any]]
    ) -> Any:
        if not request.answer.done():
            with self.turn:
                if not request.answer.done():  # perhaps another thread took it along meanwhile
                    self._run(self._take(request.key, mine), network)
        return request.answer.result()

    def _take(self, key: Hashable, mine: Sequence[_Request]) -> list[_Request]:
        """A batch: one's own requests first, so that an error of the network is always one's own as well."""
        with self._guard:
            alike = [request for request in self._waiting if request.key == key]
        batch = sorted(alike, key=lambda request: request not in mine)[: self.size]
        self._remove(batch)
        return batch

    def _run(self, batch: Sequence[_Request], network: Callable[[list[Picture]], Sequence[Any]]) -> None:
        pictures = [request.picture for request in batch]
        try:
            answers = network(pictures + pictures[-1:] * (self.size - len(batch)))
            answered = list(zip(batch, answers[: len(batch)], strict=True))
        except BaseException as error:
            for request in batch:
                request.answer.set_exception(error)
            raise
        for request, answer in answered:
            request.answer.set_result(answer)

    def _remove(self, requests: Sequence[_Request]) -> None:
        with self._guard:
            self._waiting = [request for request in self._waiting if request not in requests]


@dataclass(frozen=True, eq=False)
class SharedDetector:
    """A Detector. Pictures of the same size that are asked for the same phrases share batches."""

    network: Detector
    batches: Batches

    def __call__(self, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], phrases: Sequence[str]) -> list[Detections]:
        keys = [(picture.shape, *phrases) for picture in pictures]
        return self.batches.ask(partial(self.network, phrases=phrases), pictures, keys)


@dataclass(frozen=True, eq=False)
class SharedSegmenter:
    """A PromptedSegmenter. All pictures share batches; the boxes of each are cut out by themselves."""

    network: PromptedSegmenter
    batches: Batches

    def embed(self, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> list[Any]:
        return self.batches.ask(self.network.embed, pictures, [None] * len(pictures))

    def __call__(
        self,
        embedded: Any,
        boxes: Float32[np.ndarray, "n 4"],
        points: Float32[np.ndarray, "n p 2"] | None = None,
        positive: Bool[np.ndarray, "n p"] | None = None,
    ) -> BoxMasks:
        with self.batches.turn:
            return self.network(embedded, boxes, points, positive)

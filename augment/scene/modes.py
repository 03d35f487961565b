"""Which samples of a pixel show the same thing."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from augment.scene.samples import Samples

ALIKE = 10  # grey levels: samples that differ by less, in every channel, show the same thing
LEAST, LEAST_SHARE = 3, 0.06  # samples, and share of the uncovered ones, that make a mode
BRIGHTER, BRIGHTEST = 1.05, 3.3  # ratios of a surface in light to the same in shadow


@dataclass(frozen=True, eq=False)
class Modes:
    """Samples, channels first, and the two largest groups of them at every pixel."""

    planes: UInt8[np.ndarray, "n 3 h w"]
    seen: Bool[np.ndarray, "n h w"]
    group: UInt8[np.ndarray, "n h w"]
    """Number of samples alike to each, itself included; 0 for those that are covered."""
    centres: Int[np.ndarray, "2 h w"]
    """Samples in the middle of the largest group and of the next."""
    colours: UInt8[np.ndarray, "2 3 h w"]
    """Means of the groups."""
    several: Bool[np.ndarray, "h w"]
    """Where there is a second group."""


def two_modes(samples: Samples) -> Modes:
    """The largest group of uncovered samples that look alike, and the largest of those that look otherwise."""
    planes, seen = channels_first(samples), ~samples.covered
    group = seen.astype(np.uint8)
    for first in range(len(planes)):
        for second in range(first + 1, len(planes)):
            same = alike(planes[first], planes[second]) & seen[first] & seen[second]
            group[first] += same
            group[second] += same
    first_centre = group.argmax(axis=0)
    first_colour = mean_of_alike(planes, seen, sample_at(planes, first_centre))
    others = group * ~np.stack([alike(plane, first_colour) for plane in planes])
    second_centre = others.argmax(axis=0)
    second_colour = mean_of_alike(planes, seen, sample_at(planes, second_centre))
    several = others.max(axis=0) >= enough(seen)
    centres, colours = np.stack([first_centre, second_centre]), np.stack([first_colour, second_colour])
    return Modes(planes, seen, group, centres, colours, several)


def channels_first(samples: Samples) -> UInt8[np.ndarray, "n 3 h w"]:
    """The pictures; several times as fast as moving an axis and copying."""
    return np.stack([samples.pictures[..., channel] for channel in range(3)], axis=1)


def most_light(modes: Modes, centre: Int[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """For a surface that is seen in shadow and, often enough, in light too: a sample that shows it in light."""
    usual = modes.group >= enough(modes.seen)
    for _ in range(2):  # from deep shadow by way of half-shadow
        reference = sample_at(modes.planes, centre)
        largest = np.zeros(centre.shape, dtype=np.uint8)
        lit = centre.copy()
        for number, (plane, size) in enumerate(zip(modes.planes, modes.group, strict=True)):
            better = usual[number] & (size > largest) & ~alike(plane, reference) & _brighter(plane, reference)
            largest[better], lit[better] = size[better], number
        centre = lit
    return centre


def enough(seen: Bool[np.ndarray, "n h w"]) -> Float32[np.ndarray, "h w"]:
    """How many of the uncovered samples make a mode."""
    return np.asarray(np.maximum(np.float32(LEAST), np.float32(LEAST_SHARE) * seen.sum(axis=0, dtype=np.float32)))


def alike(first: UInt8[np.ndarray, "3 h w"], second: UInt8[np.ndarray, "3 h w"]) -> Bool[np.ndarray, "h w"]:
    apart = np.maximum(first, second) - np.minimum(first, second)
    return np.asarray(apart.max(axis=0) <= ALIKE)


def mean_of_alike(
    planes: UInt8[np.ndarray, "n 3 h w"], seen: Bool[np.ndarray, "n h w"], reference: UInt8[np.ndarray, "3 h w"]
) -> UInt8[np.ndarray, "3 h w"]:
    """Mean of the uncovered samples that look like the reference; 0 where there is none."""
    number = np.min_scalar_type(256 * len(planes))  # the smallest that holds every sum
    total, members = np.zeros(reference.shape, dtype=number), np.zeros(reference.shape[1:], dtype=number)
    for plane, visible in zip(planes, seen, strict=True):
        belongs = alike(plane, reference) & visible
        total += plane * belongs
        members += belongs
    return np.asarray((total + members // 2) // np.maximum(members, 1), dtype=np.uint8)


def _brighter(plane: UInt8[np.ndarray, "3 h w"], reference: UInt8[np.ndarray, "3 h w"]) -> Bool[np.ndarray, "h w"]:
    """Whether `plane` shows what `reference` shows, in more light: every channel brighter by about the same ratio."""
    ratio = (plane.astype(np.float32) + 2) / (reference.astype(np.float32) + 2)
    light = ratio.mean(axis=0)
    drift = np.abs(ratio - light).max(axis=0)
    return np.asarray((light > BRIGHTER) & (light < BRIGHTEST) & (drift < 0.05 * light + 0.1 * (light - 1)))


def sample_at(planes: UInt8[np.ndarray, "n 3 h w"], centre: Int[np.ndarray, "h w"]) -> UInt8[np.ndarray, "3 h w"]:
    return np.asarray(np.take_along_axis(planes, centre[None, None], axis=0)[0])

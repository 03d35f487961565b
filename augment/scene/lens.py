"""A camera that turns moves its picture by homographies that go together: what all of its frames say about them.

Turned so that the middle of the picture moves by (dy, dx), a camera of focal length f bends it by zy = -dy / f**2 and
zx = -dx / f**2. One frame hardly tells such terms from noise; all of them together tell f.
"""

import numpy as np
from jaxtyping import Float32, Float64

USUAL = 0.2  # of a lens that sees 48 degrees from top to bottom
ROLL = 0.1  # of every pixel of it is counted: a camera may roll, but not with the noise
BENDS = np.linspace(0, 1, 51)  # from no perspective at all to 90 degrees


def pull(bend: float) -> Float32[np.ndarray, "8 8"]:
    """What holds a homography, counted as `Level.unit` says, close to one of a camera that is turned, not moved.

    `bend`: how many pixels the upper and lower end are moved more than the middle, per pixel: (height / 2 / f)**2.
    """
    residuals = np.zeros((6, 8), dtype=np.float32)
    residuals[:, 2:] = np.eye(6)
    residuals[[4, 5], [0, 1]] = bend
    residuals[1:3, 3:5] = np.array([[1, 1], [ROLL, -ROLL]]) / np.sqrt(2)  # yx and xy: of a shear, and of a roll
    return np.asarray(np.einsum("ra,rb->ab", residuals, residuals))


def agreed(
    maps: Float64[np.ndarray, "t 8"], curvatures: Float32[np.ndarray, "t 8 8"], bend: float
) -> tuple[Float64[np.ndarray, "t 8"], float]:
    """The maps as they would have been found, had it been known how much the picture bends; and how much.

    `maps`: found with `pull(bend)`, counted as `Level.unit` says. `curvatures`: how fast each one's misfit grows around
    it; taken for parabolas, so that no picture has to be looked at again.
    """
    slopes = np.einsum("ab,tb->ta", -pull(bend), maps)  # of the misfit, which balances the pull
    best, least = maps, np.inf
    for other in BENDS:
        held = pull(other)
        steps = np.linalg.solve(curvatures + held, -(slopes + np.einsum("ab,tb->ta", held, maps))[..., None])[..., 0]
        misfit = np.einsum("ta,ta->", slopes, steps) + np.einsum("ta,tab,tb->", steps, curvatures, steps) / 2
        misfit += np.einsum("ta,ab,tb->", maps + steps, held, maps + steps) / 2
        if misfit < least:
            best, bend, least = maps + steps, float(other), misfit
    return best, bend

"""The robot: a primitive five-joint arm with a parallel gripper, and its inverse kinematics in closed form.

Joints: base yaw, shoulder pitch, elbow pitch, wrist pitch, hand roll. The hand always points down.
"""

import numpy as np
from jaxtyping import Float

BASE = (-0.28, 0.0)
"""x, y of the base on the table, metres."""
SHOULDER, UPPER, FORE = 0.215, 0.27, 0.25
"""Height of the shoulder; lengths of upper arm and forearm, metres."""
HAND = 0.157
"""From the wrist joint down to the point between the finger tips, metres."""
MAX_OPENING = 0.1
"""Between the fingers, metres."""
PAD = 0.008
"""Half a finger's thickness, metres."""

SHELL, JOINT, ACCENT, DARK = "0.71 0.72 0.73 1", "0.10 0.11 0.12 1", "0.80 0.26 0.05 1", "0.035 0.038 0.042 1"

MJCF = f"""
<body name="base" pos="{BASE[0]} {BASE[1]} 0">
  <geom class="robot" type="cylinder" size="0.085 0.012" pos="0 0 0.012" rgba="{JOINT}"/>
  <geom class="robot" type="cylinder" size="0.064 0.055" pos="0 0 0.075" rgba="{SHELL}"/>
  <geom class="robot" type="cylinder" size="0.066 0.006" pos="0 0 0.136" rgba="{ACCENT}"/>
  <body pos="0 0 0.142"><joint axis="0 0 1"/>
    <geom class="robot" type="cylinder" size="0.060 0.030" pos="0 0 0.030" rgba="{SHELL}"/>
    <geom class="robot" type="cylinder" size="0.056 0.070" pos="0 0 {SHOULDER - 0.142}" zaxis="0 1 0" rgba="{SHELL}"/>
    <geom class="robot" type="cylinder" size="0.042 0.076" pos="0 0 {SHOULDER - 0.142}" zaxis="0 1 0" rgba="{JOINT}"/>
    <body pos="0 0 {SHOULDER - 0.142}"><joint axis="0 1 0"/>
      <geom class="robot" type="capsule" size="0.043" fromto="0 0 0.02 0 0 {UPPER}" rgba="{SHELL}"/>
      <geom class="robot" type="cylinder" size="0.0445 0.010" pos="0 0 0.15" rgba="{ACCENT}"/>
      <geom class="robot" type="cylinder" size="0.046 0.056" pos="0 0 {UPPER}" zaxis="0 1 0" rgba="{SHELL}"/>
      <geom class="robot" type="cylinder" size="0.034 0.061" pos="0 0 {UPPER}" zaxis="0 1 0" rgba="{JOINT}"/>
      <body pos="0 0 {UPPER}"><joint axis="0 1 0"/>
        <geom class="robot" type="capsule" size="0.035" fromto="0 0 0.02 0 0 {FORE}" rgba="{SHELL}"/>
        <geom class="robot" type="cylinder" size="0.0365 0.008" pos="0 0 0.14" rgba="{ACCENT}"/>
        <geom class="robot" type="cylinder" size="0.037 0.046" pos="0 0 {FORE}" zaxis="0 1 0" rgba="{SHELL}"/>
        <geom class="robot" type="cylinder" size="0.027 0.050" pos="0 0 {FORE}" zaxis="0 1 0" rgba="{JOINT}"/>
        <body pos="0 0 {FORE}"><joint axis="0 1 0"/>
          <geom class="robot" type="cylinder" size="0.031 0.030" pos="0 0 0.030" rgba="{SHELL}"/>
          <body name="hand" pos="0 0 0.060"><joint axis="0 0 1"/>
            <geom class="robot" type="cylinder" size="0.035 0.005" pos="0 0 0.004" rgba="{ACCENT}"/>
            <geom class="robot" type="box" size="0.024 0.070 0.016" pos="0 0 0.024" rgba="{JOINT}"/>
            <body pos="0 0 0.040"><joint type="slide" axis="0 1 0"/>
              <geom class="robot" type="box" size="0.013 {PAD} 0.036" pos="0 {PAD} 0.034" rgba="{DARK}"/>
            </body>
            <body pos="0 0 0.040"><joint type="slide" axis="0 -1 0"/>
              <geom class="robot" type="box" size="0.013 {PAD} 0.036" pos="0 -{PAD} 0.034" rgba="{DARK}"/>
            </body>
          </body>
        </body>
      </body>
    </body>
  </body>
</body>"""


def inverse_kinematics(position: Float[np.ndarray, " 3"], yaw: float) -> Float[np.ndarray, " 5"]:
    """Joint angles, radians, that bring the finger tips to `position` with the fingers opening along `yaw` + 90 deg.

    Raises ValueError where the arm does not reach.
    """
    x, y = position[0] - BASE[0], position[1] - BASE[1]
    heading = np.arctan2(y, x)
    reach, height = np.hypot(x, y), position[2] + HAND - SHOULDER
    cosine = (reach**2 + height**2 - UPPER**2 - FORE**2) / (2 * UPPER * FORE)
    if not -1 <= cosine <= 1:
        raise ValueError(
            f"the hand cannot be at {np.round(position, 3).tolist()} m: the wrist would be "
            f"{np.hypot(reach, height):.3f} m from the shoulder and the arm is {UPPER + FORE:.3f} m long"
        )
    elbow = np.arccos(cosine)
    shoulder = np.arctan2(reach, height) - np.arctan2(FORE * np.sin(elbow), UPPER + FORE * cosine)
    return np.array([heading, shoulder, elbow, np.pi - shoulder - elbow, heading - yaw])

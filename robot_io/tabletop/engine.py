"""MuJoCo, or one clear error.

Scenes are drawn by casting rays, so no OpenGL is needed. MUJOCO_GL is left alone: naming a library there that the
machine lacks makes `import mujoco` itself fail.
"""

try:
    import mujoco
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "the tabletop world is rendered with MuJoCo, which is not installed: pip install 'restage[sim]'", name="mujoco"
    ) from error

__all__ = ["mujoco"]

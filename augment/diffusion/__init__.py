"""The mathematics of diffusion, no weights: noise levels, the maps between them, samplers, inversion, blending.

Tensors are `(b, c, h, w)`. `t` and `s` number noise levels as models number their timesteps, CLEAN = -1 is the picture
itself, and `s` is where a step goes. A denoiser is anything that says which noise a picture at a level contains.

Half precision never gets in here: whatever is given in it is computed, and returned, in float32; float64 stays float64.
Nothing draws random numbers but `Noise`, and nothing switches gradients off: callers do, with `torch.no_grad()`.
"""

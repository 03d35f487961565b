"""HQ-SAM: boxes in, masks out, from the transformers library's checkpoints (hub) or the authors' own (original)."""

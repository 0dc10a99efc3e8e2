"""Splatsmith: words in, 3D Gaussians out, by score distillation on a bare CPU."""

__version__ = "0.1.0"

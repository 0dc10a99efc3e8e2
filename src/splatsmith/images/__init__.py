"""Pictures in: a file of somebody's, made into the picture that a scene is held to."""

from splatsmith.images.reference import Matting, Reference, read_reference

__all__ = ["Matting", "Reference", "read_reference"]

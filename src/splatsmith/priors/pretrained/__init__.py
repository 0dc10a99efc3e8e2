"""Published diffusion models as priors, by way of diffusers (extra `splatsmith[pretrained]`).

hub.py finds a folder, folder.py knows its layout, parts.py loads what is in it; text.py reads
prompts and codec.py pictures; a family file says how its networks are told and asked, and
prior.py makes a `Prior` of all that. checkpoint.py takes an authors' single file for a folder,
ldm.py knows the names in it, and own.py makes the parts that no library has. Importing this
package imports none of the libraries.
"""

from splatsmith.priors.pretrained.catalog import PUBLISHED, Published
from splatsmith.priors.pretrained.hub import is_published
from splatsmith.priors.pretrained.opening import FAMILIES, open_pretrained
from splatsmith.priors.pretrained.options import MEMORY, Memory, PriorOptions
from splatsmith.priors.pretrained.prior import PretrainedPrior

__all__ = [
    "FAMILIES",
    "MEMORY",
    "PUBLISHED",
    "Memory",
    "PretrainedPrior",
    "PriorOptions",
    "Published",
    "is_published",
    "open_pretrained",
]

"""Open a published prior: find its folder, tell its family, check what its files say."""

from collections.abc import Sequence
from dataclasses import replace

from splatsmith.errors import InputError
from splatsmith.priors.pretrained.catalog import PUBLISHED
from splatsmith.priors.pretrained.deepfloyd import DEEPFLOYD, DEEPFLOYD_UPSCALER
from splatsmith.priors.pretrained.family import Family
from splatsmith.priors.pretrained.flow import FLUX, STABLE_DIFFUSION_3
from splatsmith.priors.pretrained.folder import ModelFolder
from splatsmith.priors.pretrained.hub import find
from splatsmith.priors.pretrained.libraries import library
from splatsmith.priors.pretrained.mvdream import IMAGEDREAM, MVDREAM
from splatsmith.priors.pretrained.options import PriorOptions
from splatsmith.priors.pretrained.prior import PretrainedPrior, device_of
from splatsmith.priors.pretrained.sdxl import SDXL
from splatsmith.priors.pretrained.stable_diffusion import STABLE_DIFFUSION
from splatsmith.priors.pretrained.zero123 import ZERO123

FAMILIES: tuple[Family, ...] = (
    STABLE_DIFFUSION,
    SDXL,
    DEEPFLOYD,
    DEEPFLOYD_UPSCALER,
    STABLE_DIFFUSION_3,
    FLUX,
    MVDREAM,
    IMAGEDREAM,
    ZERO123,
)


def open_pretrained(source: str, options: PriorOptions | None = None) -> PretrainedPrior:
    """The prior of a short name, a folder, or an id of the hub; its weights come when needed.

    Raises:
        InputError: it cannot be found or fetched, is of a kind that nobody here can ask, or
            its files contradict each other.
        InvalidFile: a file is missing or damaged.
    """
    library("diffusers"), library("transformers")
    options = options or PriorOptions()
    if source in PUBLISHED:
        usual = PUBLISHED[source].options
        plain = PriorOptions()
        unset = {k: v for k, v in usual.items() if getattr(options, k) == getattr(plain, k)}
        options = replace(options, **unset)
    half = device_of(options).type != "cpu" and options.precision != "float32"
    folder = find(source, needed_parts, half=half)
    family = family_of(folder)
    prior = PretrainedPrior(folder, family, options)
    if source in PUBLISHED and (made_for := PUBLISHED[source].guidance) is not None:
        prior.default_guidance = made_for
    return prior


def needed_parts(pipeline: str, listed: Sequence[str]) -> list[str]:
    """Of a pipeline's parts, those that a prior needs: no safety checker and the like."""
    families = _families(pipeline, "That repository")
    return [part for part in listed if any(part in family.parts for family in families)]


def family_of(folder: ModelFolder) -> Family:
    """The family that serves a folder's pipeline; InputError if none does."""
    families = _families(folder.pipeline, str(folder.root))
    fitting = [family for family in families if family.fits is None or family.fits(folder)]
    return (fitting or families)[0]


def _families(pipeline: str, where: str) -> list[Family]:
    found = [family for family in FAMILIES if pipeline in family.pipelines]
    if found:
        return found
    known = ", ".join(dict.fromkeys(n for family in FAMILIES for n in family.pipelines))
    raise InputError(
        f"{where} is a {pipeline or 'pipeline without a name'}, and the pipelines that can be "
        f"a prior are {known}."
    )

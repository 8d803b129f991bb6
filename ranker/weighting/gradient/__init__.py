"""Methods that weight gradients; to add one, add a file and a line here."""

from ranker.weighting.gradient.aligned_mtl import AlignedMTL
from ranker.weighting.gradient.cagrad import CAGrad
from ranker.weighting.gradient.dual_cone import DualProj, UPGrad
from ranker.weighting.gradient.equilibrium import FairGrad, NashMTL
from ranker.weighting.gradient.excess_mtl import ExcessMTL
from ranker.weighting.gradient.gradnorm import GradNorm
from ranker.weighting.gradient.gradvac import GradVac
from ranker.weighting.gradient.imtl_g import IMTLG
from ranker.weighting.gradient.mgda import MGDA
from ranker.weighting.gradient.normalized_gradients import NormalizedGradients
from ranker.weighting.gradient.pcgrad import PCGrad
from ranker.weighting.gradient.pe_ltr import PELTR

__all__ = [
    "IMTLG",
    "MGDA",
    "PELTR",
    "AlignedMTL",
    "CAGrad",
    "DualProj",
    "ExcessMTL",
    "FairGrad",
    "GradNorm",
    "GradVac",
    "NashMTL",
    "NormalizedGradients",
    "PCGrad",
    "UPGrad",
]

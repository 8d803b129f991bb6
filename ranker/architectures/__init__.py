"""Registry of multi-task architectures by config name; to add one, add a file and a line here."""

from ranker.architectures.aitm import AITM
from ranker.architectures.asymmetric import Asymmetric
from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Head
from ranker.architectures.boosted_trees import BoostedTrees
from ranker.architectures.cross_stitch import CrossStitch
from ranker.architectures.customized import Customized
from ranker.architectures.dbmtl import DBMTL
from ranker.architectures.home import HoME
from ranker.architectures.independent import ESMM, Independent
from ranker.architectures.ml_mmoe import MLMMoE
from ranker.architectures.mmoe import MMoE
from ranker.architectures.omoe import OMoE
from ranker.architectures.pepnet import PEPNet
from ranker.architectures.ple import CGC, PLE
from ranker.architectures.shared_bottom import SharedBottom
from ranker.architectures.sluice import Sluice
from ranker.architectures.soft_sharing import SoftSharing
from ranker.architectures.stem import STEM

__all__ = [
    "AITM",
    "ARCHITECTURES",
    "CGC",
    "DBMTL",
    "ESMM",
    "PLE",
    "STEM",
    "Architecture",
    "ArchitectureOptions",
    "Asymmetric",
    "BoostedTrees",
    "CrossStitch",
    "Customized",
    "Head",
    "HoME",
    "Independent",
    "MLMMoE",
    "MMoE",
    "OMoE",
    "PEPNet",
    "SharedBottom",
    "Sluice",
    "SoftSharing",
]

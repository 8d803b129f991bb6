"""Ways for tasks to share, by the config's word; adding one is a file and a line here."""

from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Head
from ranker.architectures.esmm import ESMM
from ranker.architectures.mmoe import MMoE
from ranker.architectures.ple import PLE
from ranker.architectures.shared_bottom import SharedBottom

__all__ = ["ARCHITECTURES", "ESMM", "PLE", "Architecture", "ArchitectureOptions", "Head", "MMoE", "SharedBottom"]

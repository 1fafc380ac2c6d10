"""Graph Attention from the Ground Up: the package that every chapter shares.

Everything a chapter imports is reachable from here. A name is loaded when it is
first used, so `import gat_course` costs little more than `import torch`, and DGL is
imported only by those who ask for one of its two layers. Names and their homes stand
in `__init__.pyi`.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Graph Attention from the Ground Up: the package that every chapter shares.

To read it, take these five files, in this order; together they are one sitting:
`graph.py`, `formulas.py`, `layers/gat.py`, `models.py`, `training/one_graph.py`. The
book's page *Inside the package* shows the rooms around them.

Everything a chapter imports is reachable from here; names and their homes stand in
`__init__.pyi`. A name is loaded when it is first used, so `import gat_course` costs
little, and DGL is imported only by those who ask for one of its two layers. Examples in
docstrings take it that `import torch` and `from gat_course import *` stand before them.
"""

import lazy_loader

__version__ = "0.1.0"
BOOK = "https://graph-attention.github.io/gat-course/book"  # where it is read

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

from .dgl import from_dgl as from_dgl
from .dgl import to_dgl as to_dgl
from .networks import ConvStack as ConvStack
from .pyg import from_pyg as from_pyg
from .pyg import to_pyg as to_pyg

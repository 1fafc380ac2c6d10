"""What takes minutes to days: the benchmark (chapter 9)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ["bench"])

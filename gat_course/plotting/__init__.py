"""Figures in one style: graphs, attention, histograms, curves (all chapters).

Every function makes a figure sized for a phone and returns its axes; graphs, matrices
and neighbourhoods can also be drawn into axes of yours, made inside `style()`. The
background is white in dark mode too. Classes differ in colour, lightness and marker;
heavier edges are wider and darker. So every figure can be read in grey. Nothing here
changes matplotlib's global settings. Names and their homes stand in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

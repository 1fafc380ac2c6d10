from . import bench as bench
from . import catalogue as catalogue
from . import claims as claims
from . import grids as grids
from . import papers as papers
from . import published as published
from . import reproduce as reproduce
from . import variants as variants

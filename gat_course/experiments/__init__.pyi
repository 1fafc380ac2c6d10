from . import bench as bench
from . import papers as papers
from . import published as published
from . import reproduce as reproduce

"""Makes JupyterLab's server load the course's extension, which lies beside this file."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

c = get_config()  # noqa: F821 (given by traitlets)
c.ServerApp.jpserver_extensions = {"infinity_course": True}

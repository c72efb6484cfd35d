"""nbgrader on the course's notebooks; README.md beside this file says how it is used."""

import os
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
root = here.parents[1]
sys.path.append(str(here))

# The kernel is installed beside the course's JupyterLab, not beside nbgrader.
kernels = root / ".venv" / "share" / "jupyter"
os.environ["JUPYTER_PATH"] = os.pathsep.join(
    filter(None, [str(kernels), os.environ.get("JUPYTER_PATH")])
)

from infinity_nbgrader import ExecuteExercises, GradeByPoints, KeepStubs  # noqa: E402
from nbgrader.preprocessors import (  # noqa: E402
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ComputeChecksums,
    IgnorePattern,
    IncludeHeaderFooter,
    LimitOutput,
    LockCells,
    SaveAutoGrades,
    SaveCells,
)
from nbconvert.preprocessors import ClearMetadataPreprocessor  # noqa: E402

c = get_config()  # noqa: F821 (given by traitlets)

# nbgrader's own order, with our two in the places of its own two, and without tests made from
# templates, which it knows for Python and R only.
c.GenerateAssignment.preprocessors = [
    IncludeHeaderFooter,
    LockCells,
    KeepStubs,
    GradeByPoints,
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
    SaveCells,
    ClearHiddenTests,
    ClearMarkScheme,
    ComputeChecksums,
    CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    ExecuteExercises,
    IgnorePattern,
    ClearMetadataPreprocessor,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
]

c.ClearSolutions.code_stub = {"typescript": '// Write your answer here.\nthrow new Error("not written yet");'}
c.ClearSolutions.begin_solution_delimeter = "// BEGIN SOLUTION"
c.ClearSolutions.end_solution_delimeter = "// END SOLUTION"
c.ClearHiddenTests.begin_test_delimeter = "// BEGIN HIDDEN TESTS"
c.ClearHiddenTests.end_test_delimeter = "// END HIDDEN TESTS"

# Longer than the grader's own limits, so that a check that takes too long still says so itself.
c.Execute.timeout = 180

"""What nbgrader needs to know of the course: how its cells are released, run and marked."""

import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from nbgrader.preprocessors import ClearSolutions, Execute, NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution

ROOT = Path(os.environ.get("INFINITY_ROOT") or Path(__file__).resolve().parents[2])

# What the grader reads. The packages are only linked: they are large, and nothing writes to them.
COPIED = ["src", "exercises", "datasets", "package.json", "tsconfig.json"]
LINKED = ["node_modules"]

CHECK = re.compile(r"await check\([^()]*\)")


class KeepStubs(ClearSolutions):
    """Clears solutions that are marked, and leaves the course's own stubs as they are."""

    def preprocess_cell(self, cell, resources, cell_index):
        marked = self.begin_solution_delimeter in cell.source
        if cell.source.startswith("%%exercise") and not marked:
            return cell, resources
        return super().preprocess_cell(cell, resources, cell_index)


class GradeByPoints(NbGraderPreprocessor):
    """Makes the points of a check the value of its cell, which nbgrader takes as partial credit."""

    def preprocess_cell(self, cell, resources, cell_index):
        if is_grade(cell) and CHECK.fullmatch(cell.source.strip()):
            cell.source = f"({cell.source.strip()}).points"
        return cell, resources


class ExecuteExercises(Execute):
    """Runs the exercises and their checks, and nothing else, in a course of their own.

    A submission saves its exercises into files; without a fresh copy one student's would be graded
    for the next. Cells that are neither exercise nor check are experiments, and may take minutes.
    """

    def preprocess(self, nb, resources, km=None):
        notebook = resources["nbgrader"]["notebook"]
        with fresh_course() as course:
            environment = {"INFINITY_ROOT": course, "JPY_SESSION_NAME": f"{notebook}.ipynb"}
            with environment_variables(environment):
                return super().preprocess(nb, resources, km)

    def preprocess_cell(self, cell, resources, index):
        if not is_solution(cell) and not is_grade(cell):
            return cell, resources
        return super().preprocess_cell(cell, resources, index)


@contextmanager
def fresh_course():
    """A copy of the course in which no exercise is written; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="infinity-nbgrader-") as folder:
        course = Path(folder).resolve()
        for name in COPIED:
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, course / name)
        for name in LINKED:
            os.symlink(ROOT / name, course / name, target_is_directory=True)
        for stub in (course / "exercises" / ".stubs").glob("*.ts"):
            shutil.copy(stub, course / "exercises" / stub.name)
        yield str(course)


@contextmanager
def environment_variables(values):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

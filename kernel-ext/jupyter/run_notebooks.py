"""Runs notebooks and writes them with their outputs: run_notebooks.py [--to FOLDER] NOTEBOOK…

As `jupyter nbconvert --execute`, but what a cell prints becomes one output however it was sent, and
no time of day is kept, so that running again changes nothing that did not change.
"""

import argparse
import pathlib

import nbformat
from nbclient import NotebookClient


def join_streams(outputs):
    """Neighbouring pieces of one stream as one."""
    joined = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


arguments = argparse.ArgumentParser()
arguments.add_argument("--to", type=pathlib.Path)
arguments.add_argument("notebooks", nargs="+", type=pathlib.Path)
options = arguments.parse_args()

for path in options.notebooks:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=600, record_timing=False, resources={"metadata": {"path": path.parent}}
    ).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = join_streams(cell.outputs)
    nbformat.write(notebook, (options.to or path.parent) / path.name)

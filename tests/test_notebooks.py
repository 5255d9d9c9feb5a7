"""Every notebook runs from top to bottom, one after the other in one kernel; outputs are stripped in git, texts in two languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# On real records: longer than all others together.
LONG = {"07_hoverboards_2015"}
FIGURES = {"01": 1, "02": 1, "03": 2, "04": 2, "05": 2, "06": 2, "07": 1, "08": 1}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """One kernel for all notebooks: imports and definitions are read once. Each starts with an empty namespace."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path_factory.mktemp("notebooks")))
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(path: Path, kernel: tuple[KernelManager, BlockingKernelClient], **environment: str) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    manager, client = kernel
    runner = NotebookClient(notebook, km=manager, timeout=600)
    runner.kc = client
    settings = f"import os; os.environ.update({environment!r})"
    for code in ("%reset -f", settings, "%reset -f"):
        assert client.execute_interactive(code, silent=True)["content"]["status"] == "ok"
    for at, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            runner.execute_cell(cell, at)  # raises what the cell raises
    return notebook


def figures(notebook: nbformat.NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ()))


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.stem not in LONG], ids=lambda path: path.stem)
def test_notebook_runs(path: Path, demo_project: Path, kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
    made = run(path, kernel, RISKWATCH_PROJECT=str(demo_project))
    assert figures(made) == FIGURES[path.stem[:2]]
    assert not [cell for cell in made.cells for output in cell.get("outputs", ()) if output.get("name") == "stderr"]


@pytest.mark.slow
def test_hoverboards_are_warned_of(real_data: Path, kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
    made = run(ROOT / "notebooks" / "07_hoverboards_2015.ipynb", kernel, RISKWATCH_REAL_DATA=str(real_data))
    assert figures(made) == FIGURES["07"]
    last = "".join(output.get("text", "") for output in made.cells[-1].outputs)
    assert re.match(r"2015-10-\d\d: 2\d\d days before the recall", last), last


def test_hoverboards_without_the_data_say_so(tmp_path: Path, kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
    made = run(ROOT / "notebooks" / "07_hoverboards_2015.ipynb", kernel, RISKWATCH_REAL_DATA=str(tmp_path))
    told = [output["text"] for cell in made.cells for output in cell.get("outputs", ())]
    assert told == ["没有真实数据，以下各格跳过。No real data: the cells below do nothing.\n"]


def test_there_are_the_notebooks_that_the_page_lists() -> None:
    page = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    assert [path.name for path in NOTEBOOKS] == sorted(set(re.findall(r"\d\d_\w+\.ipynb", page)))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_has_no_outputs_in_git(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_text_is_in_two_languages(path: Path) -> None:
    texts = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    assert texts
    for text in texts:
        plain = re.sub(r"`[^`]*`", "", text)
        assert re.search(r"[一-鿿]{2}", plain), text
        assert re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", plain), text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_names_no_place_on_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.:/\"'(])/(?:home|root|tmp|usr|var|work|Users|mnt|opt)/|[A-Z]:\\\\", text)
    assert str(Path.home()) not in text

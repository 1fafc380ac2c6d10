
import sys, nbformat
sys.path.insert(0, "drafts/08")
mod = __import__(sys.argv[1]); out = sys.argv[2]; prefix = sys.argv[3]
nb = nbformat.v4.new_notebook()
for i, (kind, text, meta) in enumerate(mod.CELLS):
    cell = (nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell)(text)
    cell.id = f"{prefix}-{i:03d}"; cell.metadata = nbformat.from_dict(meta); nb.cells.append(cell)
nbformat.write(nb, out)

"""Tables in the papers' pages, `experiments/<paper>/README.md`, copied from the tables that the notebooks save."""

import pathlib
import re

from poster_cnn.files import write_atomically
from poster_cnn.metrics import arguments

_TABLE = re.compile(
    r"(?P<start><!-- table: (?P<name>\w+)(?: \((?P<columns>[^)]*)\))? -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)


@arguments.checked(tables_dir=arguments.path, repository=arguments.path)
def update_pages(tables_dir, repository):
    """Replace the tables in the papers' pages by those of a folder.

    A page marks a table by a line `<!-- table: NAME -->` before it and a line `<!-- end -->` after it. The first marker
    may choose columns: `<!-- table: NAME (network, ours, low, high) -->`. Tables missing from the folder are kept.

    Args:
        tables_dir: Folder with a file `NAME.md` per table, as saved by `Workspace.save_table`.
        repository: Folder with the pages, `experiments/*/README.md`.

    Returns:
        list of `pathlib.Path`: the pages that have changed.

    Raises:
        ValueError: If a marker asks for a column that its table lacks.
    """

    def replace(match):
        """Return a pair of markers with the current table between them."""
        file = pathlib.Path(tables_dir) / f"{match['name']}.md"
        if not file.is_file():
            return match[0]
        table = file.read_text(encoding="utf-8").strip()
        if match["columns"]:
            table = _choose_columns(table, [name.strip() for name in match["columns"].split(",")], match["name"])
        return f"{match['start']}{table}\n{match['end']}"

    changed = []
    for page in sorted(pathlib.Path(repository).glob("experiments/*/README.md")):
        text = page.read_text(encoding="utf-8")
        updated = _TABLE.sub(replace, text)
        if updated != text:
            with write_atomically(page) as temporary:
                temporary.write_text(updated, encoding="utf-8")
            changed.append(page)
    return changed


def _choose_columns(table, names, title):
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()]
    missing = set(names) - set(rows[0])
    if missing:
        raise ValueError(f"The columns of table {title!r} must be among {rows[0]}. Received: {sorted(missing)}")
    chosen = [rows[0].index(name) for name in names]
    return "\n".join(f"| {' | '.join(row[index] for index in chosen)} |" for row in rows)

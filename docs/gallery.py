"""Run a page from top to bottom and store the pictures that its calls return.

python docs/gallery.py             every picture of docs/gallery.md
python docs/gallery.py fits ...    run as much as before, store only these
"""

import ast
import re
import sys
import time
from pathlib import Path

PAGE = Path(__file__).with_suffix(".md")
# a block of Python, and the picture that follows it
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n!\[[^\]]*\]\((\S+)\))?", flags=re.M | re.S)


def value_of(source, names):
    """Run a block; return its last line's value."""
    *before, last = ast.parse(source).body
    exec(compile(ast.Module(before, []), PAGE.name, "exec"), names)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), PAGE.name, "eval"), names)
    exec(compile(ast.Module([last], []), PAGE.name, "exec"), names)
    return None


def main(wanted):
    names = {}
    for source, picture in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        began = time.perf_counter()
        figure = value_of(source, names)
        path = PAGE.parent / picture
        if picture and (not wanted or path.stem in wanted):
            path.parent.mkdir(exist_ok=True)
            figure.savefig(path, dpi=110, metadata={"Software": None})
        print(f"{picture or '-'}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

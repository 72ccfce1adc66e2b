"""What pages show that no page holds: audits and help, made when the site is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click import Context
from docutils import nodes
from docutils.parsers.rst import Directive
from typer.main import get_command

import bayesmig as bm
from bayesmig.cli import app

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class Findings(Directive):
    """What the audit of a study finds: how many checks hold, and each that does not."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        found = bm.load_study(self.arguments[0]).audit()
        failed = found[~found.holds]
        made: list[nodes.Node] = [
            nodes.paragraph(text=f"{len(failed)} of {len(found)} checks do not hold.")
        ]
        for check, rows in failed.groupby("check", sort=False):
            made.append(nodes.rubric(text=str(check)))
            items = nodes.definition_list()
            for row in rows.itertuples():
                detail = nodes.definition("", nodes.paragraph(text=row.detail))
                items += nodes.definition_list_item("", nodes.term(text=row.where), detail)
            made.append(items)
        return made


class Commands(Directive):
    """Every command of the command line, its arguments and options."""

    def run(self) -> list[nodes.Node]:
        made: list[nodes.Node] = []
        for name, command in get_command(app).commands.items():
            usage = command.collect_usage_pieces(Context(command))
            section = nodes.section(ids=[f"bayesmig-{name}"], names=[f"bayesmig {name}"])
            section += nodes.title(text=name)
            section += nodes.paragraph(text=command.help)
            section += nodes.literal_block(text=" ".join(["bayesmig", name, *usage]))
            items = nodes.definition_list()
            for parameter in command.params:
                words = (parameter.help or "").strip()
                opts = [*parameter.opts, *parameter.secondary_opts]
                term = nodes.term("", "", nodes.literal(text=" ".join(opts)))
                about = nodes.definition("", nodes.paragraph(text=words))
                items += nodes.definition_list_item("", term, about)
            section += items
            made.append(section)
        return made


def setup(site: Sphinx) -> dict[str, bool]:
    """Name the directives."""
    site.add_directive("findings", Findings)
    site.add_directive("commands", Commands)
    return {"parallel_read_safe": True}

"""One self-contained HTML page from a run folder. This room reads files only; it never sees live objects."""

from __future__ import annotations

from fleeting.reports.folder import RunData, UnitData, read_run
from fleeting.reports.page import render_html, render_report
from fleeting.reports.reading import NotARunError

__all__ = ["NotARunError", "RunData", "UnitData", "read_run", "render_html", "render_report"]

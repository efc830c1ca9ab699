"""The report of a run: one self-contained HTML page, made by `numepi.result.Result.report`."""

from numepi.report.page import measurements, page, write_report

__all__ = ["measurements", "page", "write_report"]

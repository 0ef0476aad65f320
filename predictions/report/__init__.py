"""The report of a run: a folder of HTML, Markdown and JSON that opens from disk. docs/report.md describes its pages."""

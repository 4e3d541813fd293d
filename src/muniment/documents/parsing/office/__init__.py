"""Office documents: text, slides, workbooks."""

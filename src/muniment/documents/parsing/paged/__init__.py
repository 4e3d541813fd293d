"""What is drawn on pages: PDF, scans, pictures."""

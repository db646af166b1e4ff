"""What a run looks like: one file to send round, and pages in the browser, where people judge too."""

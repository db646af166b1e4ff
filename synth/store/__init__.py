"""Where a run lives: the journal (the truth), its fold into DuckDB, and the views people ask questions of."""

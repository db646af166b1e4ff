"""Where a run lives: the journal (the truth), what is materialized of it in DuckDB, and the views people ask questions of."""

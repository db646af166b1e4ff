"""How texts of others, figures and records are shown: for pages, the report, the card of a data set and the terminal."""

"""One module per database: its statements, and how rows are bound to them."""

"""Bytes in, bytes out: one module per REST resource. A handler knows no Flask and no database."""

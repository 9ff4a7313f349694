"""Leaves that any layer may call: loops over bytes and columns, each a Cython module with a plain twin."""

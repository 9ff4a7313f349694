"""The accelerated tracking store: sessions, group commit, writers."""

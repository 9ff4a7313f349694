"""Whole servers, asked by the clients that people use."""

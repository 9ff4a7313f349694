"""Real servers, real databases and raw requests for the tests."""

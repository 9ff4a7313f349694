"""The same requests to upstream's default server and to ours: answers and stored rows are compared."""

"""How the application is served: gunicorn's settings and hooks, the fast lane, the private runtime directory."""

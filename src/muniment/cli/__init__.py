"""The command line: a client of the HTTP API, and what starts and tends a server on this machine."""

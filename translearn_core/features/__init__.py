"""Features of photos through a frozen network: the pass, its cache, and what it costs on this machine."""

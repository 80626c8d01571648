"""Flow runs as rows: making, changing, claiming, listing, and what a waiting one waits for."""

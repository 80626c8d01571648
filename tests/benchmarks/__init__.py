"""Benchmarks: `make bench`. Scripts, not tests: they assert nothing, they print figures with their floors."""

"""Benchmarks: the kernel and its peers side by side, in one run, each giving the same full answer."""

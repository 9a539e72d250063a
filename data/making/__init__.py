"""The parts of make_demo.py."""

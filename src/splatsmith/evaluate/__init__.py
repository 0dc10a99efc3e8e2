"""Weighing scenes against a world that is known exactly; nothing that generates sees this."""

"""Weighing scenes against a world that is known exactly; nothing that generates may see this."""

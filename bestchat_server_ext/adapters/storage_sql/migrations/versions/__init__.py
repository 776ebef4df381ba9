"""The steps, oldest first. Once released, a step never changes."""

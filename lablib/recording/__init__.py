"""A run on disk: a folder that only grows, and opens whatever happened to the process that wrote it."""

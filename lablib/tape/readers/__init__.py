"""One reader per vendor: files in, plain numpy arrays out. None of them knows the engine's tape."""

"""Networks that turn a clip into one vector. Each is a function from mono audio at its own rate to [D]."""

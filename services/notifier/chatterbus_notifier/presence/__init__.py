"""Who is here: connections by gateway, the status that others see, and who is told of it."""

"""One function for each fault: `async def run(cluster, size) -> Figures`."""

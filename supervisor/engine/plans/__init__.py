"""Plans: their documents, their languages and graphs, and what of them may run. Pure; no files, no SQL, no asyncio."""

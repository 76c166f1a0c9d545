"""Plans: their documents, their languages and their graphs. Pure; no files, no SQL, no asyncio."""

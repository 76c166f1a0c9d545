"""The MCP server of a session: its tools, and their way over stdio."""

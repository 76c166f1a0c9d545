"""Protocol, server, client; one handler module per noun."""

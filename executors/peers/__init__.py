"""Programs that speak an agent's own protocol with it and ours with the supervisor."""

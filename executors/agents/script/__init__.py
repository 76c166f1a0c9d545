"""The parts of the scripted agent. Standard library only."""

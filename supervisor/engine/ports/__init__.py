"""What the engine needs from the outside world. Adapters live in `executors`.

Three ports: `Executor` starts and controls processes, `Workspaces` is git, `AgentAdapter`
knows an agent's command line and stream. Starting a process and speaking its protocol are
two things: an adapter never touches a process, an executor never reads a stream.
"""

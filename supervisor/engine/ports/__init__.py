"""What the engine needs from the outside world. Adapters live in `executors`.

Three ports: `Executor` starts and controls processes, `Workspaces` is git, `AgentAdapter`
knows an agent's command line and stream. Starting a process and speaking its protocol are
two things: an adapter never touches a process, an executor never reads a stream.
"""

from __future__ import annotations

from supervisor.engine.ports.agents import AgentAdapter, Invocation, Line, PolicyPort, Turn, Verdict
from supervisor.engine.ports.processes import (
    AttemptRef,
    ContainerLaunch,
    Executor,
    ExitRecord,
    Found,
    Launch,
    Signal,
    Started,
)
from supervisor.engine.ports.workspaces import (
    BundleResult,
    CheckpointRequest,
    FileContent,
    FileStatus,
    KeptCheckpoint,
    MadeCheckpoint,
    MergeResult,
    Present,
    PushChange,
    PushResult,
    Repository,
    Restored,
    Workspace,
    WorkspaceRequest,
    Workspaces,
    WorktreeFile,
    WorktreeState,
)

__all__ = [
    "AgentAdapter",
    "AttemptRef",
    "BundleResult",
    "CheckpointRequest",
    "ContainerLaunch",
    "Executor",
    "ExitRecord",
    "FileContent",
    "FileStatus",
    "Found",
    "Invocation",
    "KeptCheckpoint",
    "Launch",
    "Line",
    "MadeCheckpoint",
    "MergeResult",
    "PolicyPort",
    "Present",
    "PushChange",
    "PushResult",
    "Repository",
    "Restored",
    "Signal",
    "Started",
    "Turn",
    "Verdict",
    "Workspace",
    "WorkspaceRequest",
    "Workspaces",
    "WorktreeFile",
    "WorktreeState",
]

"""Settings that follow their files: an edit is in force from the next look on."""

from __future__ import annotations

import logging
from pathlib import Path

from config.loading import PROJECT_FILE, Loaded, load
from config.paths import Paths
from config.stamps import FileStamp, stamp_of
from supervisor.model.errors import ConfigError

log = logging.getLogger(__name__)

_Stamp = tuple[FileStamp, FileStamp | None]


class LiveConfig:
    """The settings in force, per project. A look costs two `stat` calls while nothing changes."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._file = str(paths.config_file)
        self._known: dict[Path | None, tuple[_Stamp, Loaded]] = {}
        self.problem = ""

    def current(self, project_root: Path | None) -> Loaded:
        """Return the settings of a project, or the user's own when ``project_root`` is None.

        A file that is wrong raises ConfigError for a project; the user's own settings stay as they were
        before the edit, and ``problem`` says what is wrong.
        """
        stamp = (stamp_of(self._file), stamp_of(f"{project_root}/{PROJECT_FILE}") if project_root else None)
        known = self._known.get(project_root)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            loaded = load(self._paths, project_root)
        except ConfigError as error:
            if project_root is not None or known is None:
                raise
            log.warning("%s", error)
            self.problem = str(error)
            self._known[project_root] = (stamp, known[1])
            return known[1]
        if project_root is None:
            self.problem = ""
        self._known[project_root] = (stamp, loaded)
        return loaded

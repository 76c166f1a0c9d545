#!/bin/sh
# Makes .venv in the checkout from the locked requirements. Needs Python 3.11 or newer, pip and git; as
# root on Debian and Ubuntu it installs what else is missing, otherwise it says what to install.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
install() { apt-get install -y -qq --no-install-recommends "$@" >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }; }
fail() { echo "setup: $*" >&2; exit 1; }

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "Python 3.11 or newer is needed. Set PYTHON to one, for example: make setup PYTHON=python3.12"

if ! command -v git >/dev/null; then
    can_install && install git || fail "git is missing. Install it, for example: sudo apt install git"
fi

if ! command -v tmux >/dev/null; then
    if can_install && install tmux; then
        echo "setup: tmux was installed"
    else
        echo "setup: tmux is missing, so sessions in a terminal cannot start. Install it: sudo apt install tmux" >&2
    fi
fi

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    # Debian has venv without ensurepip: then the system's own pip fills the new environment.
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv .venv
    elif "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --without-pip .venv
        "$python" -m pip --python .venv/bin/python install --quiet pip
    elif can_install && install python3-venv; then
        "$python" -m venv .venv
    else
        fail "neither pip nor venv is there. Install one, for example: sudo apt install python3-venv"
    fi
fi

# The lock names every package, so nothing is resolved: pip before 23.3 takes `package[extra]` of another package for
# unpinned, and refuses it as soon as a newer release of that package is out.
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .

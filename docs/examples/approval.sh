#!/bin/sh
# Deletes old releases, and asks before it does. Written from docs/approval-protocol.md: POSIX shell, no library.
set -eu

key=old-releases
answer=${AUTO_APPROVAL-}
answered=${AUTO_APPROVAL_KEY-$key}
# What is started from here on must not find the answer.
unset AUTO_APPROVAL AUTO_APPROVAL_KEY

event() { printf '%s\n' "$1" >&2; }

ask() {
    event '{"type": "approval_needed", "protocol": 1, "key": "'$key'", "question": "Delete 2 old releases?", "options": [{"value": "delete", "label": "Delete both"}, {"value": "newest", "label": "Keep the newest", "description": "Deletes releases/1.0 only."}, {"value": "none", "label": "Delete nothing"}], "default": "none", "risk": "high", "expires_s": 3600, "preview": "rm -r releases/1.0\nrm -r releases/1.1"}'
    exit 90
}

# An answer to another question is none.
[ "$answered" = "$key" ] || answer=

case $answer in
    delete) doomed='releases/1.0 releases/1.1' ;;
    newest) doomed='releases/1.0' ;;
    none) doomed= ;;
    *) ask ;;
esac

for release in $doomed; do
    rm -rf "$release"
    event '{"type": "progress", "text": "deleted '"$release"'"}'
done
echo done

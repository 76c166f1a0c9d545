"""Publishes a package, and asks before it does. With deploy/helpers/quarterdeck_tool.py copied beside it."""

import quarterdeck_tool as quarterdeck

PACKAGES = ("core", "extras")

answer = quarterdeck.needs_approval(
    f"Publish {len(PACKAGES)} packages?",
    options=[("publish", "Publish"), ("test", "Publish to the test index"), ("no", "Publish nothing")],
    default="test",
    risk="high",
    preview="\n".join(f"upload dist/{name}-1.0.tar.gz" for name in PACKAGES),
)
if answer != "no":
    with quarterdeck.heartbeat():
        for done, name in enumerate(PACKAGES, start=1):
            quarterdeck.emit("uploaded", package=name, index=answer)
            quarterdeck.progress(done, of=len(PACKAGES))

#!/bin/sh
# WildFly's start script in upstream's image. Here it becomes the stand-in's main process.
exec python3 -m standin "$@"

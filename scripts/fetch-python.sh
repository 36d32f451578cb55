#!/bin/sh
# Makes sure this machine has Python 3.10 or later with pip and venv, with which the Python SDK is tested. Does nothing when they are
# there (the SDK itself needs 3.9; the web frameworks of its examples more). Nimbus itself runs without Python.
set -eu
apt_install=$(dirname "$0")/apt-install.sh

say() { printf '%s\n' "fetch-python: $*" >&2; }
there() { python3 -c 'import sys, ensurepip, pip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

if there || { sh "$apt_install" python3 python3-pip python3-venv && there; }; then
	say "found $(python3 --version) at $(command -v python3)"
	exit 0
fi
say "there is no Python 3.10 or later with pip and venv here: install it (as root: apt-get install python3 python3-pip python3-venv; brew install python)"
exit 1

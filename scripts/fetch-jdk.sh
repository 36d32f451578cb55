#!/bin/sh
# Makes sure this machine has a JDK and Maven, with which the SDK for Kotlin is built and tested. Does nothing when they are
# there. Nimbus itself runs without Java.
set -eu
apt_install=$(dirname "$0")/apt-install.sh

say() { printf '%s\n' "fetch-jdk: $*" >&2; }
there() { command -v mvn >/dev/null && javac -version >/dev/null 2>&1; }

if there || { sh "$apt_install" default-jdk-headless maven && there; }; then
	say "found $(javac -version 2>&1) and Maven at $(command -v mvn)"
	exit 0
fi
say "there is no JDK with Maven here: install both (as root: apt-get install default-jdk-headless maven; brew install openjdk maven)"
exit 1

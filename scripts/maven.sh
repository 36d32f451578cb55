#!/bin/sh
# Runs Maven in sdk/kotlin, quietly. A run is too short for the slower and better of Java's compilers to pay off.
set -eu
cd "$(dirname "$0")/../sdk/kotlin"
MAVEN_OPTS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx1g ${MAVEN_OPTS:-}" exec mvn -B -q -ntp "$@"

#!/bin/sh
# Makes sure this machine has a Chromium for the tests of the browser's tracker. Does nothing when there is one. Looks where
# sdk/typescript/test/support/chromium.ts looks: keep the two in step.
set -eu

for path in "${CHROMIUM_PATH:-}" /usr/bin/chromium /usr/bin/chromium-browser /usr/bin/google-chrome \
	"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
	if [ -n "$path" ] && [ -x "$path" ]; then
		exit 0
	fi
done
if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null; then
	echo 'fetch-chromium: installing chromium with apt-get' >&2
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends chromium >&2 && exit 0
fi
echo 'fetch-chromium: install Chromium (apt-get install chromium, brew install --cask google-chrome), or set CHROMIUM_PATH' >&2
exit 1

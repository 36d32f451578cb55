#!/bin/sh
# Makes sure this machine has a Chromium, or a Chrome, for the tests in browsers. Does nothing when there is one. Looks
# where sdk/typescript/test/support/browser.ts looks: keep the two in step.
set -eu
apt_install=$(dirname "$0")/apt-install.sh

find_browser() {
	for name in "${CHROMIUM_PATH:-}" chromium google-chrome google-chrome-stable chromium-browser \
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
		# On some systems one of the names only says what to install.
		if [ -n "$name" ] && path=$(command -v "$name") && "$path" --version >/dev/null 2>&1; then
			return 0
		fi
	done
	return 1
}

if find_browser || { sh "$apt_install" chromium && find_browser; }; then
	exit 0
fi
echo 'fetch-chromium: there is no Chromium here: install it (as root: apt-get install chromium; brew install --cask google-chrome), or set CHROMIUM_PATH' >&2
exit 1

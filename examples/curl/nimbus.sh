#!/bin/sh
# A walk through Nimbus with curl, openssl and gzip: an account, a project, 1,000 signed events, questions, pages, and
# what happens to events that are sent twice. It ends with a non-zero status at the first answer that is not as it
# should be.
#
#   NIMBUS_URL=http://127.0.0.1:8080 sh examples/curl/nimbus.sh
set -eu
export LC_ALL=C
url=${NIMBUS_URL:-http://127.0.0.1:8080}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
answer=$work/answer.json

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() {
	printf '\nFAILED: %s\n' "$*" >&2
	exit 1
}

# The answers are JSON on one line, and the names asked for occur once in them, so these two are enough to read them.
# text NAME: the member of this name, if it is a string. number NAME: the same for a number.
text() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$answer"; }
number() { sed -n "s/.*\"$1\":\([0-9][0-9.]*\).*/\1/p" "$answer"; }

# call STATUS CURL-ARGUMENTS…: does a request, keeps the answer in $answer, and insists on the status.
call() {
	want=$1
	shift
	got=$(curl -sS --max-time 30 -o "$answer" -w '%{http_code}' "$@") || fail "no answer from $url"
	[ "$got" = "$want" ] || fail "status $got instead of $want: $(cat "$answer")"
}

# equal WHAT GOT WANT
equal() {
	[ "$2" = "$3" ] || fail "$1: $2 instead of $3"
}

# sign FILE: the signature of a POST to /v1/events with exactly these bytes, at $timestamp. The secret is the key as it
# stands; what is signed is timestamp:METHOD:path:body.
sign() {
	{
		printf '%s:POST:/v1/events:' "$timestamp"
		cat "$1"
	} | openssl dgst -sha256 -hmac "$secret" -r | cut -d ' ' -f 1
}

# send FILE [CURL-ARGUMENTS…]: the signed request.
send() {
	file=$1
	shift
	call 200 "$url/v1/events" -H 'Content-Type: application/json' \
		-H "X-Api-Key-Id: $key_id" -H "X-Api-Timestamp: $timestamp" -H "X-Api-Signature: $(sign "$file")" \
		--data-binary "@$file" "$@"
	cat "$answer"
}

for program in curl openssl gzip awk; do
	command -v "$program" >/dev/null || fail "$program is not installed"
done

say '1. Register'
email=curl-$(openssl rand -hex 8)@example.com
call 201 "$url/v1/auth/register" -H 'Content-Type: application/json' \
	-d "{\"email\":\"$email\",\"password\":\"Correct-Horse-$(openssl rand -hex 4)\"}"
token=$(text access_token)
echo "$email has an access token of ${#token} characters."

say '2. Create a project'
call 201 "$url/v1/projects" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
	-d '{"name":"Curl example"}'
project=$(sed 's/.*"project":{\([^}]*\)}.*/\1/' "$answer" | sed -n 's/.*"id":"\([0-9a-f-]\{36\}\)".*/\1/p')
key_id=$(text api_key_id)
secret=$(text api_key_secret)
echo "Project $project, key $key_id. The secret is shown this once."

say '3. Make 1,000 events of the last 24 hours'
# The question in step 5 is about the 24 hours, by the clock, that end with the running one. The events fill the last 23 of
# them up to now, so that they are still inside when the hour turns before the question is asked. None is in the future.
now=$(date -u +%s)
first=$((now - now % 3600 - 22 * 3600))
awk -v n=1000 -v first="$first" -v now="$now" -v project="$project" '
	# stamp writes Unix seconds as RFC 3339, by the civil calendar counted in days since 1 March of the year 0.
	function stamp(t,    days, s, era, doe, yoe, doy, mp, d, m, y) {
		days = int(t / 86400); s = t % 86400
		days += 719468; era = int(days / 146097); doe = days - era * 146097
		yoe = int((doe - int(doe / 1460) + int(doe / 36524) - int(doe / 146096)) / 365)
		doy = doe - (365 * yoe + int(yoe / 4) - int(yoe / 100))
		mp = int((5 * doy + 2) / 153); d = doy - int((153 * mp + 2) / 5) + 1
		m = mp < 10 ? mp + 3 : mp - 9; y = yoe + era * 400 + (m <= 2)
		return sprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", y, m, d, int(s / 3600), int(s / 60) % 60, s % 60)
	}
	BEGIN {
		split("page_view search sign_up purchase", names, " ")
		printf "{\"project_id\":\"%s\",\"events\":[", project
		for (k = 0; k < n; k++) {
			printf "%s{\"name\":\"%s\",\"ts\":\"%s\",\"user_id\":\"user_%d\",\"idempotency_key\":\"curl-%d\",\"props\":{\"n\":%d}}",
				(k ? "," : ""), names[k % 4 + 1], stamp(first + int((now - first) * k / (n - 1))), k % 50, k, k
		}
		printf "]}"
	}' >"$work/events.json"
echo "$(wc -c <"$work/events.json") bytes; the first event:"
sed 's/.*"events":\[\({[^}]*}}\).*/\1/' "$work/events.json"
echo

say '4. Sign and send them'
timestamp=$now
send "$work/events.json"
equal accepted "$(number accepted)" 1000
equal duplicates "$(number duplicates)" 0
equal rejected "$(number rejected)" 0

say '5. Count them by the hour'
call 200 "$url/v1/metrics?project_id=$project&bucket=1h&limit=24" -H "Authorization: Bearer $token"
# One point a line: the series is the only array of the answer that has values.
tr '{}' '\n\n' <"$answer" | sed -n 's/^"ts":"\([^"]*\)","value":\([0-9.]*\)$/\1 \2/p' >"$work/points"
cat "$work/points"
equal 'number of points' "$(wc -l <"$work/points" | tr -d ' ')" 24
equal 'sum of the points' "$(awk '{sum += $2} END {print sum}' "$work/points")" 1000
equal total "$(number total)" 1000

say '6. Read them back, 100 a page'
pages=0
cursor=
: >"$work/ids"
while :; do
	call 200 "$url/v1/events?project_id=$project&limit=100$cursor" -H "Authorization: Bearer $token"
	tr ',{' '\n\n' <"$answer" | sed -n 's/^"id":"\([0-9a-f-]\{36\}\)".*/\1/p' >"$work/page"
	cat "$work/page" >>"$work/ids"
	pages=$((pages + 1))
	next=$(text next_cursor)
	echo "page $pages: $(wc -l <"$work/page" | tr -d ' ') events${next:+, the next begins at cursor $next}"
	[ -n "$next" ] || break
	[ "$pages" -lt 20 ] || fail 'the pages do not end'
	cursor="&cursor=$next"
done
equal 'number of pages' "$pages" 10
equal 'number of events' "$(wc -l <"$work/ids" | tr -d ' ')" 1000
equal 'number of different events' "$(sort -u "$work/ids" | wc -l | tr -d ' ')" 1000

say '7. Send the same request again, byte by byte'
send "$work/events.json"
equal accepted "$(number accepted)" 0
equal duplicates "$(number duplicates)" 1000

say '8. Send them compressed, with a signature over the compressed bytes'
# Another body and another signature, but the same events: their idempotency keys say so.
gzip -c "$work/events.json" >"$work/events.json.gz"
echo "$(wc -c <"$work/events.json.gz") bytes"
timestamp=$(date -u +%s)
send "$work/events.json.gz" -H 'Content-Encoding: gzip'
equal accepted "$(number accepted)" 0
equal duplicates "$(number duplicates)" 1000

say 'All as it should be.'

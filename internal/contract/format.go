package contract

import (
	"net/mail"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// Format is a string format beyond length and pattern.
type Format uint8

// The formats of strings that stay strings in Go.
const (
	FormatNone Format = iota
	FormatEmail
	FormatURI
)

func (f Format) check(s string) (ok bool, want string) {
	switch f {
	case FormatEmail:
		return IsEmail(s), "an e-mail address"
	case FormatURI:
		return isURI(s), "an absolute http or https URL"
	default:
		return true, ""
	}
}

// IsEmail refuses addresses that can never be delivered; only a delivered message proves more. It is never laxer than
// net/mail, because the e-mail type of the generated models fails to encode an address that net/mail cannot parse.
func IsEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || len(s) > 254 || strings.ContainsAny(domain, `@<>",`) ||
		strings.ContainsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }) {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

func isURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && !strings.Contains(s, " ")
}

// parseTime reads an RFC 3339 date-time with a zone into UTC, in lower case too. It is stricter than time.Parse (no
// comma, no one-digit hour) and several times as fast. A leap second becomes the second after it: neither Go nor
// PostgreSQL can store one, and an event must not be refused because the clock of its sender is right.
func parseTime(s string) (time.Time, bool) {
	if len(s) < 20 || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, false
	}
	day, ok := parseDay(s[:10])
	h, mi, sec := two(s[11:]), two(s[14:]), two(s[17:])
	if !ok || uint(h) > 23 || uint(mi) > 59 || uint(sec) > 60 {
		return time.Time{}, false
	}
	rest := s[19:]
	var ns int64
	if rest[0] == '.' {
		i, unit := 1, int64(100_000_000)
		for ; i < len(rest) && rest[i]-'0' <= 9; i++ {
			ns += int64(rest[i]-'0') * unit
			unit /= 10 // digits beyond the ninth are dropped
		}
		if i == 1 {
			return time.Time{}, false
		}
		rest = rest[i:]
	}
	offset, ok := parseZone(rest)
	unix := day*86400 + int64(h*3600+mi*60+sec) - offset
	if !ok || unix < minUnix || unix > maxUnix || sec == 60 && unix%86400 != 0 { // leap seconds are the last of a UTC day
		return time.Time{}, false
	}
	return time.Unix(unix, ns).UTC(), true
}

// parseZone reads an offset from UTC into seconds.
func parseZone(s string) (int64, bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	zh, zm := two(s[1:]), two(s[4:])
	if uint(zh) > 23 || uint(zm) > 59 {
		return 0, false
	}
	offset := int64(zh*3600 + zm*60)
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// minUnix and maxUnix are the ends of the years 0000 to 9999 in UTC. With its offset applied, a time must stay in the
// range that RFC 3339 can write, or it could be read but never written.
const minUnix, maxUnix = -62167219200, 253402300799

// parseDay reads YYYY-MM-DD into days since 1970-01-01.
func parseDay(s string) (int64, bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	century, year, m, d := two(s), two(s[2:]), two(s[5:]), two(s[8:])
	if century < 0 || year < 0 || m < 1 || m > 12 {
		return 0, false
	}
	y := century*100 + year
	if d < 1 || d > daysIn(y, m) {
		return 0, false
	}
	// Counting years from March puts the leap day last (Howard Hinnant, "chrono-compatible low-level date algorithms").
	if m <= 2 {
		y--
		m += 12
	}
	era := (y + 400) / 400 // y is -1 at least
	era--
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468, true
}

func daysIn(y, m int) int {
	switch {
	case m == 2 && y%4 == 0 && (y%100 != 0 || y%400 == 0):
		return 29
	case m == 2:
		return 28
	case m == 4 || m == 6 || m == 9 || m == 11:
		return 30
	}
	return 31
}

// two reads two digits, or -1.
func two(s string) int {
	a, b := s[0]-'0', s[1]-'0'
	if a > 9 || b > 9 {
		return -1
	}
	return int(a)*10 + int(b)
}

// parseUUID reads the one form RFC 9562 writes: 8-4-4-4-12 hexadecimal digits.
func parseUUID(s string) (u [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	n := 0
	for i := 0; i < 36; i += 2 {
		if s[i] == '-' {
			i++
		}
		hi, lo := hexDigit(s[i]), hexDigit(s[i+1])
		if hi < 0 || lo < 0 {
			return [16]byte{}, false
		}
		u[n] = byte(hi<<4 | lo)
		n++
	}
	return u, true
}

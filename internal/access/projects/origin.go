package projects

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

const (
	maxHostBytes  = 253 // the longest name DNS allows
	maxLabelBytes = 63
)

const (
	wrongCharacters = "must have a host of letters, digits, hyphens and dots"
	wrongScheme     = "must begin with https://, http:// or the scheme of an app, such as capacitor:// or chrome-extension://"
)

// scheme is what RFC 3986 calls one, in lower case.
var scheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// nameless are the schemes that no page has, or whose pages send "Origin: null", which names nobody.
var nameless = []string{"about", "blob", "data", "file", "ftp", "javascript", "ws", "wss"}

// names writes an international name as browsers send it.
var names = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.VerifyDNSLength(true))

// normaliseOrigins brings a list of allowed origins into the form in which browsers send them, so that comparing is
// enough later. It names every bad entry at once.
func normaliseOrigins(origins []string) ([]string, error) {
	out := make([]string, 0, len(origins))
	first := make(map[string]int, len(origins))
	var bad []contract.FieldError
	field := func(i int, code, detail string) {
		bad = append(bad, contract.FieldError{
			In: contract.InBody, Pointer: fmt.Sprintf("/allowed_origins/%d", i), Code: code, Detail: detail, Item: -1,
		})
	}
	for i, origin := range origins {
		normal, fault := normaliseOrigin(origin, true)
		if fault != "" {
			field(i, contract.CodeFormat, fault)
			continue
		}
		if j, ok := first[normal]; ok {
			field(i, contract.CodeUniqueItems, fmt.Sprintf("must not be the same origin as entry %d: %.100q", j, normal))
			continue
		}
		first[normal] = i
		out = append(out, normal)
	}
	if len(bad) > 0 {
		return nil, problem.Invalid(bad...)
	}
	return out, nil
}

// OriginAllowed reports whether a request with this Origin header may use a write key with this list, in the normal form
// in which it is stored. An empty list allows everything, a request without the header included. Otherwise the header
// must be there and name a listed origin: scheme, host and port all equal. `https://*.example.com` stands for every
// name below example.com at any depth, and not for example.com itself.
func OriginAllowed(allowed []string, origin string) bool {
	if len(allowed) == 0 {
		return true
	}
	normal, fault := normaliseOrigin(origin, false)
	if fault != "" {
		return false
	}
	for _, a := range allowed {
		before, after, wildcard := strings.Cut(a, "*")
		if !wildcard {
			if normal == a {
				return true
			}
			continue
		}
		// before ends with "://" and after begins with a dot. A normal origin has no empty label, so what stands
		// between them is one whole label or more.
		if strings.HasPrefix(normal, before) && strings.HasSuffix(normal, after) {
			return true
		}
	}
	return false
}

// normaliseOrigin returns the origin in lower case, without the port its scheme implies, and with addresses in their
// canonical form. fault says what it must be instead, and is empty when all is well. Of an entry, which may be a pattern,
// an international name becomes its xn-- form; browsers send no other.
func normaliseOrigin(origin string, mayBePattern bool) (normal, fault string) {
	protocol, rest, found := strings.Cut(origin, "://")
	protocol = asciiLower(protocol)
	if !found || !scheme.MatchString(protocol) || slices.Contains(nameless, protocol) {
		return "", wrongScheme
	}
	host, port, fault := splitPort(rest)
	if fault != "" {
		return "", fault
	}
	if host, fault = asciiHost(host, mayBePattern); fault != "" {
		return "", fault
	}
	if protocol == "http" && port == "80" || protocol == "https" && port == "443" {
		port = ""
	}
	if port != "" {
		port = ":" + port
	}
	name := host
	if mayBePattern {
		name = strings.TrimPrefix(host, "*.")
	}
	pattern := host[:len(host)-len(name)]
	if strings.HasPrefix(name, "[") {
		if name, fault = normaliseIPv6(name); fault == "" && pattern != "" {
			fault = "must not have a wildcard before an address"
		}
	} else {
		fault = checkName(name, pattern != "")
	}
	if fault != "" {
		return "", fault
	}
	return protocol + "://" + pattern + name + port, ""
}

// asciiLower leaves other letters alone: strings.ToLower turns some, such as the Kelvin sign, into ASCII.
func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// asciiHost returns the host in lower case and ASCII; the wildcard before an international name stays.
func asciiHost(host string, mayBeInternational bool) (ascii, fault string) {
	if strings.IndexFunc(host, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return asciiLower(host), ""
	}
	name, pattern := strings.CutPrefix(host, "*.")
	ascii, err := names.ToASCII(name)
	if !mayBeInternational || err != nil {
		return "", wrongCharacters
	}
	if pattern {
		ascii = "*." + ascii
	}
	return ascii, ""
}

// splitPort takes the port off, without leading zeros; it is empty when there is none.
func splitPort(s string) (host, port, fault string) {
	// The colons inside the brackets of an IPv6 address belong to the address.
	end := strings.LastIndexByte(s, ']') + 1
	i := strings.IndexByte(s[end:], ':')
	if i < 0 {
		return s, "", ""
	}
	host, port = s[:end+i], s[end+i+1:]
	for _, c := range []byte(port) {
		if c < '0' || c > '9' {
			return "", "", "must have a port of digits only"
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", "", "must have a port from 1 to 65535"
	}
	return host, strconv.FormatUint(n, 10), ""
}

func normaliseIPv6(host string) (normal, fault string) {
	const wrong = "must have a valid IPv6 address between its brackets"
	inner, ok := strings.CutSuffix(host[1:], "]")
	addr, err := netip.ParseAddr(inner)
	if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", wrong
	}
	return "[" + addr.String() + "]", ""
}

// checkName checks a host that is a name or an IPv4 address.
func checkName(host string, belowWildcard bool) (fault string) {
	if host == "" || len(host) > maxHostBytes {
		return fmt.Sprintf("must have a host of 1 to %d characters", maxHostBytes)
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if strings.Contains(label, "*") {
			return "must have a wildcard only as its whole first label, as in https://*.example.com"
		}
		if label == "" || len(label) > maxLabelBytes || label[0] == '-' || label[len(label)-1] == '-' {
			return fmt.Sprintf("must have a host whose labels are 1 to %d characters long and neither begin nor end with a hyphen", maxLabelBytes)
		}
		for i := range len(label) {
			if label[i] != '-' && !isAlphanumeric(label[i]) {
				return wrongCharacters
			}
		}
	}
	// Browsers read a host whose last label is a number as an address, and send it as four numbers.
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		if addr, err := netip.ParseAddr(host); err != nil || !addr.Is4() {
			return "must have a valid IPv4 address, four numbers from 0 to 255, when its host ends with a number"
		}
		if belowWildcard {
			return "must not have a wildcard before an address"
		}
	}
	return ""
}

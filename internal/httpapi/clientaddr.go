package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/access/auth"
)

// proxies finds the client address: the peer of the connection, unless that is one of these trusted proxies, which
// append their own peer to X-Forwarded-For.
type proxies []netip.Prefix

const headerForwardedFor = "X-Forwarded-For"

// address returns the client address; the zero one for a connection that has none. It trusts only the entries of
// X-Forwarded-For that a trusted proxy has appended: the client can forge everything to the left of the first
// untrusted one.
func (t proxies) address(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := plain(peer.Addr())
	if !t.trusts(client) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header[headerForwardedFor], ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, err := parseHop(strings.TrimSpace(hop))
		if err != nil {
			break // entries further left are not trusted
		}
		if client = plain(next); !t.trusts(client) {
			break
		}
	}
	return client
}

// parseHop reads an address, with a port where a proxy adds it.
func parseHop(s string) (netip.Addr, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr(), nil
	}
	return netip.ParseAddr(s)
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func (t proxies) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(t, func(p netip.Prefix) bool { return p.Contains(a) })
}

// network is the unit that limits count as one sender: an IPv4 address, or the IPv6 /64 that belongs to one subscriber.
func network(a netip.Addr) string {
	if a.Is6() {
		return subnet(a).String()
	}
	return a.String()
}

// subnet is network as a key that takes no memory of its own.
func subnet(a netip.Addr) netip.Prefix {
	p, _ := a.Prefix(min(64, a.BitLen())) // of no address: the zero one
	return p
}

// describe puts the client into the context: its address, its network and its user agent.
func (t proxies) describe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		agent, client := strings.ToValidUTF8(r.UserAgent(), ""), t.address(r)
		from := auth.Request{ID: requestID(c), Network: network(client), UserAgent: strings.ToValidUTF8(agent[:min(len(agent), auth.MaxUserAgent)], "")}
		if client.IsValid() {
			from.IP = client.String()
		}
		c.SetRequest(r.WithContext(auth.WithRequest(r.Context(), from)))
		return next(c)
	}
}

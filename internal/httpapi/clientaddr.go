package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/access/auth"
)

// proxies finds the address of a client: the peer of the connection, unless that is one of these proxies, which are trusted
// to have written down who asked them.
type proxies []netip.Prefix

const headerForwardedFor = "X-Forwarded-For"

// address returns the client's address; the zero one for a connection that has none. Of X-Forwarded-For it believes
// only what a trusted proxy has appended: everything to the left of the first stranger may be made up.
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
			break // nothing further can be believed
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

// network is what counts as one sender: an IPv4 address, or the /64 that one subscriber of IPv6 has all addresses of.
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

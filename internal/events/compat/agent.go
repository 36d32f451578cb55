package compat

import (
	"net/http"
	"strings"
	"sync"

	useragent "github.com/medama-io/go-useragent"
)

var agents = sync.OnceValue(useragent.NewParser)

// Agent adds what a user agent tells: browser, system and kind of device, and whether it is a bot. The agent of a library
// on a server tells nothing about the person, so only those of browsers and of bots are read.
func (p *Props) Agent(agent string) {
	if agent == "" || len(agent) > maxAgent {
		return
	}
	a := agents().Parse(agent)
	if a.IsBot() {
		p.True("$bot")
		return
	}
	if !strings.HasPrefix(agent, "Mozilla/") {
		return
	}
	p.Text("$browser", string(a.Browser()))
	p.Text("$browser_version", a.BrowserVersion())
	p.Text("$os", string(a.OS()))
	p.Text("$device_type", string(a.Device()))
}

// Bot adds $bot for the user agent of a bot, and nothing else.
func (p *Props) Bot(agent string) {
	if agent != "" && len(agent) <= maxAgent && agents().Parse(agent).IsBot() {
		p.True("$bot")
	}
}

// maxAgent bounds what is parsed; browsers have some hundred bytes.
const maxAgent = 1000

// BrowserAgent is the user agent of a request that a browser sent; empty for others, whose agent is a library's.
func BrowserAgent(r *http.Request) string {
	if agent := r.UserAgent(); strings.HasPrefix(agent, "Mozilla/") {
		return agent
	}
	return ""
}

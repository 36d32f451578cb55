package app

import (
	"github.com/bahagh/nimbus/internal/live"
)

func (a *App) wireLive() (*live.Hub, error) {
	if a.bus == nil {
		a.bus = a.state.Bus()
	}
	return live.New(live.Options{
		Config:  a.streaming,
		Bus:     a.bus,
		Secrets: append([][]byte{a.cfg.SecretKey}, a.cfg.SecretKeyPrevious...),
		Revive:  a.access.revive(), Access: a.access.mayStream(),
		Registry: a.reg, Now: a.now, Log: a.log,
	})
}

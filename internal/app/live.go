package app

import (
	"github.com/bahagh/nimbus/internal/live"
	"github.com/bahagh/nimbus/internal/platform/bus"
)

func (a *App) wireLive() (*live.Hub, error) {
	switch {
	case a.bus != nil: // set by a test
	case a.redis != nil:
		a.bus = a.redis
	default:
		a.bus = &bus.Hub{}
	}
	return live.New(live.Options{
		Config:  a.streaming,
		Bus:     a.bus,
		Secrets: append([][]byte{a.cfg.SecretKey}, a.cfg.SecretKeyPrevious...),
		Revive:  a.access.revive(), Access: a.access.mayStream(),
		Registry: a.reg, Now: a.now, Log: a.log,
	})
}

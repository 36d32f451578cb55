package crash_test

import (
	"net"
	"syscall"
	"testing"

	"github.com/bahagh/nimbus/test/crash"
)

func TestAHeldAddressIsFreeForWhoeverAsksForItAgainAndAgain(t *testing.T) {
	t.Parallel()
	addr, release, err := crash.HoldAddr()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	var lc net.ListenConfig
	// A program that another test is starting has a copy of every listener until it runs: none is started meanwhile.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for range 3 {
		ln, err := lc.Listen(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var others []net.Listener
	for range 100 {
		ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if others = append(others, ln); ln.Addr().String() == addr {
			t.Errorf("%s was given to somebody else", addr)
		}
	}
	for _, ln := range others {
		_ = ln.Close()
	}
}

package crash

import (
	"fmt"
	"net/netip"
	"syscall"
)

// HoldAddr returns an address of this machine that no other program is given until release is called, also while nobody
// listens on it: a server that is started again and again finds it free each time. It is bound, and left to whoever asks
// for exactly it; without that, whoever asks for any port gets the one of a server that was just killed.
func HoldAddr() (addr string, release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, fmt.Errorf("make a socket: %w", err)
	}
	release = func() { _ = syscall.Close(fd) }
	defer func() {
		if err != nil {
			release()
		}
	}()
	// A listener may share the address with a socket that does not listen, when both say so; Go's listeners do.
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return "", nil, fmt.Errorf("share the address: %w", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", nil, fmt.Errorf("find a free port: %w", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return "", nil, fmt.Errorf("ask for the port: %w", err)
	}
	at := name.(*syscall.SockaddrInet4) // as it was bound
	return netip.AddrPortFrom(netip.AddrFrom4(at.Addr), uint16(at.Port)).String(), release, nil
}

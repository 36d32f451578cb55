package crash

import (
	"fmt"
	"net/netip"
	"syscall"
)

// HoldAddr reserves an address of this machine until release is called, also while nobody listens on it: a server
// that restarts again and again finds it free each time. The address stays bound, and a program that asks for exactly
// this port can share it; otherwise a program that asks for any port could get that of a killed server.
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

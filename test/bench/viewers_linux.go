package bench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// viewers are the clients of streams, with as little work as possible: they share the processors with the server. One
// thread waits for all of them (epoll), outside Go's scheduler, so that senders do not wait for viewers.
type viewers struct {
	of   map[uuid.UUID]int // how many each project has
	poll int
	all  []*viewer
	stop atomic.Bool
	done sync.WaitGroup

	mu      sync.Mutex
	arrived []arrival
	broken  error
}

// viewer is a client of one stream.
type viewer struct {
	fd   int
	part []byte // of an incomplete frame
}

// watch opens so many streams, on the projects in turn.
func (w *world) watch(of []*project, streams int) (*viewers, error) {
	addr, err := net.ResolveTCPAddr("tcp4", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		return nil, fmt.Errorf("find the server: %w", err)
	}
	v := &viewers{of: make(map[uuid.UUID]int), all: make([]*viewer, streams)}
	if v.poll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("wait for streams: %w", err)
	}
	for k := range streams {
		v.of[of[k%len(of)].id]++
	}
	errs := make([]error, streams)
	var next atomic.Int64
	var opening sync.WaitGroup
	const atOnce = 32
	for range atOnce {
		opening.Go(func() {
			for k := int(next.Add(1)) - 1; k < streams; k = int(next.Add(1)) - 1 {
				if v.all[k], errs[k] = view(addr, of[k%len(of)]); errs[k] != nil {
					return
				}
				errs[k] = v.add(k)
			}
		})
	}
	opening.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, v.close())
	}
	v.done.Go(v.run)
	return v, nil
}

// view opens a WebSocket and reads until its first frame.
func view(addr *net.TCPAddr, p *project) (*viewer, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	v := &viewer{fd: fd}
	to := &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}
	if err := syscall.Connect(fd, to); err != nil {
		return v, fmt.Errorf("connect: %w", err)
	}
	ask := fmt.Appendf(nil, "GET /v1/projects/%s/live HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX-API-Key: %s\r\n\r\n", p.id, p.secret)
	if _, err := syscall.Write(fd, ask); err != nil {
		return v, fmt.Errorf("ask for a stream: %w", err)
	}
	var answer, buffer []byte
	buffer = make([]byte, 1<<10)
	for !bytes.Contains(answer, []byte(`"hello"`)) {
		n, err := syscall.Read(fd, buffer)
		if err != nil || n == 0 || !bytes.HasPrefix(append(answer, buffer[:n]...), []byte("HTTP/1.1 101 ")) {
			return v, fmt.Errorf("the server answered %.100q: %w", append(answer, buffer[:n]...), errors.Join(err, errRefused))
		}
		answer = append(answer, buffer[:n]...)
	}
	_, frames, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	return v, v.take(frames, func(byte, []byte) error { return nil })
}

var errRefused = errors.New("no stream")

func (v *viewers) add(k int) error {
	fd := v.all[k].fd
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(k)}
	if err := errors.Join(syscall.SetNonblock(fd, true), syscall.EpollCtl(v.poll, syscall.EPOLL_CTL_ADD, fd, &event)); err != nil {
		return fmt.Errorf("wait for a stream: %w", err)
	}
	return nil
}

// run notes when each event arrives.
func (v *viewers) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	events := make([]syscall.EpollEvent, 256)
	buffer := make([]byte, 64<<10)
	for !v.stop.Load() {
		const patience = 100 // ms, after which it checks whether to stop
		n, err := syscall.EpollWait(v.poll, events, patience)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			v.fail(err)
			return
		}
		for k := range max(0, n) {
			if err := v.read(v.all[events[k].Fd], buffer); err != nil {
				v.fail(err)
				return
			}
		}
	}
}

func (v *viewers) fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.broken = err
}

var numberMark = []byte(`"number":`)

func (v *viewers) read(x *viewer, buffer []byte) error {
	n, err := syscall.Read(x.fd, buffer)
	if errors.Is(err, syscall.EAGAIN) {
		return nil
	}
	if err != nil || n == 0 {
		return fmt.Errorf("a stream broke: %w", errors.Join(err, errRefused))
	}
	now := time.Now()
	return x.take(buffer[:n], func(op byte, content []byte) error {
		const ping = 0x89
		if op == ping {
			_, err := syscall.Write(x.fd, []byte{0x8a, 0x80, 0, 0, 0, 0}) // masked with zeros
			return err
		}
		_, rest, ok := bytes.Cut(content, numberMark)
		if !ok {
			return nil
		}
		number, err := strconv.Atoi(string(rest[:max(0, bytes.IndexAny(rest, ",}"))]))
		v.mu.Lock()
		v.arrived = append(v.arrived, arrival{number, now})
		v.mu.Unlock()
		return err
	})
}

// take reads the frames of a server, which are never masked or in parts.
func (x *viewer) take(b []byte, frame func(op byte, content []byte) error) error {
	if len(x.part) > 0 {
		b = append(x.part, b...)
	}
	for {
		head, size := 2, 0
		if len(b) >= 2 {
			size = int(b[1])
		}
		switch {
		case size == 126:
			head = 4
		case size == 127:
			head = 10
		}
		if len(b) >= head {
			switch head {
			case 4:
				size = int(binary.BigEndian.Uint16(b[2:]))
			case 10:
				size = int(binary.BigEndian.Uint64(b[2:]))
			}
		}
		if len(b) < head+size {
			x.part = append(x.part[:0:0], b...)
			return nil
		}
		if err := frame(b[0], b[head:head+size]); err != nil {
			return err
		}
		b = b[head+size:]
	}
}

// wait returns the arrivals once there are as many as wanted, and an error when there are fewer in time, or more.
func (v *viewers) wait(want int, patience time.Duration) ([]arrival, error) {
	until := time.Now().Add(patience)
	for {
		v.mu.Lock()
		arrived, err := v.arrived, v.broken
		v.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case len(arrived) == want:
			return arrived, nil
		case len(arrived) > want, time.Now().After(until):
			return nil, fmt.Errorf("%d events were received, want %d", len(arrived), want)
		}
		time.Sleep(time.Millisecond)
	}
}

func (v *viewers) close() error {
	v.stop.Store(true)
	v.done.Wait()
	errs := []error{syscall.Close(v.poll)}
	for _, x := range v.all {
		if x != nil {
			errs = append(errs, syscall.Close(x.fd))
		}
	}
	return errors.Join(errs...)
}

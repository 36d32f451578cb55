package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpu is used processor time. Unlike events per second it measures the cost of an event even while others use the
// machine. Where all three processes share the processors, the generator's time is missing to the server and the
// database.
type cpu struct{ server, database, generator time.Duration }

func (w *world) cpu() (cpu, error) {
	var c cpu
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return c, fmt.Errorf("list processes: %w", err)
	}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// The name, in parentheses, may contain anything; after it: state, parent, …, user and system ticks 11 and 12
		// on.
		s := string(b)
		pid, _ := strconv.Atoi(s[:strings.IndexByte(s, ' ')])
		fields := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
		if len(fields) < 13 {
			continue
		}
		parent, _ := strconv.Atoi(fields[1])
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		used := time.Duration(user+system) * tick
		switch {
		case pid == w.server.Process.Pid:
			c.server = used
		case pid == w.pg.Pid():
			c.database += used + ended(fields)
		case parent == w.pg.Pid():
			c.database += used
		}
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return c, fmt.Errorf("measure the generator: %w", err)
	}
	c.generator = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	return c, nil
}

const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux

// ended is the time of a process's ended children, such as the workers of a parallel query: ticks 13 and 14 on.
func ended(fields []string) time.Duration {
	if len(fields) < 15 {
		return 0
	}
	user, _ := strconv.Atoi(fields[13])
	system, _ := strconv.Atoi(fields[14])
	return time.Duration(user+system) * tick
}

func (c cpu) since(before cpu) cpu {
	return cpu{c.server - before.server, c.database - before.database, c.generator - before.generator}
}

// perEvent is the cost in microseconds.
func (c cpu) perEvent(events int) (server, database, generator float64) {
	per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(events) }
	return per(c.server), per(c.database), per(c.generator)
}

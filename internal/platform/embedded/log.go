package embedded

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
)

// tail passes the server's stderr on to the logger, line by line, and keeps the last lines for the error of a failed start.
type tail struct {
	logger *slog.Logger
	steady atomic.Bool // neither starting nor stopping: then even a LOG entry is worth a look
	mu     sync.Mutex
	lines  []string
	done   chan struct{} // closed at end of file: every process that could write has ended
}

const tailLines = 12

func newTail(logger *slog.Logger, r io.ReadCloser) *tail {
	t := &tail{logger: logger, done: make(chan struct{})}
	go t.read(r)
	return t
}

func (t *tail) read(r io.ReadCloser) {
	defer close(t.done)
	defer r.Close()
	level := slog.LevelWarn
	in := bufio.NewReaderSize(r, 16<<10)
	for {
		// ReadLine, not Scanner: a statement of a megabyte must not end the reading, since a full pipe would stop the server.
		line, more, err := in.ReadLine()
		if err != nil {
			return
		}
		text := string(line)
		for more && err == nil {
			_, more, err = in.ReadLine()
		}
		var message string
		if level, message = severity(text, level); message == "" {
			continue
		}
		t.mu.Lock()
		if t.lines = append(t.lines, text); len(t.lines) > tailLines {
			t.lines = t.lines[1:]
		}
		t.mu.Unlock()
		if level == slog.LevelInfo && !t.steady.Load() {
			level = slog.LevelDebug // "starting PostgreSQL …", "ready to accept connections": we say so ourselves
		}
		t.logger.Log(context.Background(), level, message, "source", "postgres")
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

// severity splits "WARNING:  text" into a level and the text. What follows an entry (DETAIL, HINT, STATEMENT and continued
// lines) keeps the level of the entry, given as before.
func severity(line string, before slog.Level) (slog.Level, string) {
	word, rest, found := strings.Cut(line, ":  ")
	if !found {
		return before, strings.TrimSpace(line)
	}
	switch word {
	case "ERROR", "FATAL", "PANIC":
		return slog.LevelError, rest
	case "WARNING", "NOTICE":
		return slog.LevelWarn, rest
	case "LOG": // "server process was terminated by signal 9", but also "checkpoint starting"
		return slog.LevelInfo, rest
	case "INFO", "DEBUG":
		return slog.LevelDebug, rest
	}
	return before, strings.TrimSpace(line)
}

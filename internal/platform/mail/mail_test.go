package mail

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestWhatAMailServerURLMayBe(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"smtp://mail.example.com", "smtp://u:p@mail.example.com:2525", "smtps://u:p@mail.example.com", "smtp://127.0.0.1:25"} {
		if _, err := NewSender(good, "Nimbus <nimbus@example.com>"); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "mail.example.com", "http://mail.example.com", "smtp://", "smtp://h/path", "smtp://h:0", "smtp://u:secret@h:99999", "smtp://u:sec ret@h"} {
		if _, err := NewSender(bad, "nimbus@example.com"); err == nil || strings.Contains(err.Error(), "sec") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := NewSender("smtp://h", "nobody"); err == nil {
		t.Error("a sender without an address passes")
	}
}

// server is a mail server that takes one mail, or refuses its recipient.
func server(t *testing.T, refuse bool) (address string, got <-chan string) {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	out := make(chan string, 1)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go converse(conn, refuse, out)
		}
	}()
	return ln.Addr().String(), out
}

func converse(conn net.Conn, refuse bool, out chan<- string) {
	defer conn.Close()
	say := func(line string) { _, _ = fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 ready")
	var text bytes.Buffer
	data := false
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		line := lines.Text()
		switch {
		case data && line == ".":
			data = false
			say("250 stored")
			out <- text.String()
		case data:
			text.WriteString(line + "\n")
		case strings.HasPrefix(line, "RCPT") && refuse:
			say("550 no such person: " + line)
		case strings.HasPrefix(line, "DATA"):
			data = true
			say("354 go on")
		case strings.HasPrefix(line, "QUIT"):
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

func TestAMailArrives(t *testing.T) {
	t.Parallel()
	address, got := server(t, false)
	s, err := NewSender("smtp://"+address, "Nimbus <nimbus@example.com>")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), &Message{To: "ada@example.com", Subject: "Hello", Text: "Follow https://nimbus.example/reset#nr_x"}); err != nil {
		t.Fatal(err)
	}
	text := <-got
	for _, want := range []string{"To: <ada@example.com>", "Subject: Hello", "nimbus@example.com", "Date: ", "Message-ID: ", "https://nimbus.example/reset#nr_x"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestAnErrorNamesNoRecipient(t *testing.T) {
	t.Parallel()
	address, _ := server(t, true)
	s, err := NewSender("smtp://"+address, "nimbus@example.com")
	if err != nil {
		t.Fatal(err)
	}
	err = s.Send(t.Context(), &Message{To: "ada@example.com", Subject: "Hello", Text: "x"})
	if err == nil || strings.Contains(err.Error(), "ada") {
		t.Errorf("%v", err)
	}
}

func TestMailsAreTriedAgainAndTheOutboxIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		failures := 2
		var sent []string
		o := NewOutbox(func(_ context.Context, m *Message) error {
			if m.To == "never" || failures > 0 {
				failures--
				return errors.New("away")
			}
			sent = append(sent, m.To)
			return nil
		}, "https://nimbus.example", prometheus.NewRegistry(), slog.New(slog.NewTextHandler(&log, nil)))
		to := func(address string) Work {
			return func(context.Context) (*Message, error) { return &Message{To: address}, nil }
		}
		for _, work := range []Work{to("first"), to("never"), func(context.Context) (*Message, error) { return nil, nil }, to("last")} {
			if !o.Enqueue("test", work) {
				t.Fatal("the outbox is full")
			}
		}
		for range queueLength - 4 {
			o.Enqueue("test", to("filler"))
		}
		if o.Enqueue("test", to("x")) {
			t.Error("the queue has no end")
		}
		ctx, cancel := context.WithCancel(t.Context())
		go o.Run(ctx)
		<-time.After(time.Minute) // of the bubble's clock
		synctest.Wait()
		cancel()
		if len(sent) != 2+queueLength-4 || sent[0] != "first" || sent[1] != "last" {
			t.Errorf("%d were sent: %v", len(sent), sent[:min(3, len(sent))])
		}
		if n := testutil.ToFloat64(o.failed); n != 1 || !strings.Contains(log.String(), "kind=test") || strings.Contains(log.String(), "never") {
			t.Errorf("%v failed: %s", n, log.String())
		}
		if o.Link("/reset#x") != "https://nimbus.example/reset#x" {
			t.Error(o.Link("/reset#x"))
		}
	})
}

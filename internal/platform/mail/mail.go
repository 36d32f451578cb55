package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// sendTime is how long one attempt may take.
const sendTime = 20 * time.Second

// Message is a mail in plain text.
type Message struct {
	To, Subject, Text string
}

// Sender sends mails through one server.
type Sender struct {
	client *gomail.Client
	from   string
}

// NewSender returns a sender for a URL such as smtp://user:password@mail.example.com:587 (STARTTLS) or
// smtps://user:password@mail.example.com:465, and the address that mails come from. It connects to nothing. The error names
// what is wrong with the URL and repeats no password.
func NewSender(serverURL, from string) (*Sender, error) {
	if _, err := mail.ParseAddress(from); err != nil {
		return nil, errors.New("the sender is not an e-mail address")
	}
	u, err := url.Parse(serverURL)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("must be such as smtp://user:password@mail.example.com:587 or smtps://…:465")
	}
	options := []gomail.Option{gomail.WithTimeout(sendTime), gomail.WithTLSPolicy(policyOf(u))}
	port := 587
	if u.Scheme == "smtps" {
		port = 465
		options = append(options, gomail.WithSSL())
	}
	if text := u.Port(); text != "" {
		if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
			return nil, errors.New("must have a port from 1 to 65535")
		}
	}
	options = append(options, gomail.WithPort(port))
	if password, set := u.User.Password(); set {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	}
	client, err := gomail.NewClient(u.Hostname(), options...)
	if err != nil {
		return nil, errors.New("must name a mail server")
	}
	return &Sender{client: client, from: from}, nil
}

// policyOf lets a connection be unencrypted only where nobody can listen, or where the operator says so.
func policyOf(u *url.URL) gomail.TLSPolicy {
	ip := net.ParseIP(u.Hostname())
	if u.Query().Get("tls") == "off" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		return gomail.NoTLS
	}
	return gomail.TLSMandatory
}

// Send sends one mail, or says why not. The error of the library names neither the recipient nor the text.
func (s *Sender) Send(ctx context.Context, m *Message) error {
	msg := gomail.NewMsg()
	if err := msg.From(s.from); err != nil {
		return errors.New("the sender is not an e-mail address")
	}
	if err := msg.To(m.To); err != nil {
		return errors.New("the recipient is not an e-mail address")
	}
	msg.Subject(m.Subject)
	msg.SetDate()
	msg.SetMessageID()
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	err := s.client.DialAndSendWithContext(ctx, msg)
	var refused *gomail.SendError
	if errors.As(err, &refused) { // its text quotes the recipient
		return fmt.Errorf("the mail server refused it with the code %d", refused.ErrorCode())
	}
	if err != nil {
		return fmt.Errorf("reach the mail server: %w", err)
	}
	return nil
}

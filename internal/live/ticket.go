package live

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// ticketTime is the life of a ticket. It is short because a ticket is in a URL, and URLs end up in logs.
const ticketTime = time.Minute

const ticketPurpose = "nimbus live ticket"

// spent is a ticket that was used.
type spent struct {
	Nonce   uuid.UUID `json:"nonce"`
	Expires time.Time `json:"expires"`
}

// tickets makes and checks tickets. A ticket is a signed statement and is stored nowhere; only the used ones are
// remembered, for the minute in which they could be used again.
type tickets struct {
	keys [][]byte // the first signs
	now  func() time.Time

	mu   sync.Mutex
	used map[uuid.UUID]time.Time
}

func newTickets(secrets [][]byte, now func() time.Time) (*tickets, error) {
	t := &tickets{now: now, used: make(map[uuid.UUID]time.Time)}
	for _, secret := range secrets {
		key, err := hkdf.Key(sha256.New, secret, nil, ticketPurpose, sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("derive the key of tickets: %w", err)
		}
		t.keys = append(t.keys, key)
	}
	return t, nil
}

// statement is the content of a ticket.
type statement struct {
	Project uuid.UUID `json:"p"`
	Kind    auth.Kind `json:"k"`
	Account uuid.UUID `json:"a"`
	Session uuid.UUID `json:"s"`
	KeyID   string    `json:"i,omitempty"`
	Nonce   uuid.UUID `json:"n"`
	Expires int64     `json:"e"` // Unix seconds
}

// issue returns a ticket for the principal and the project.
func (t *tickets) issue(p *auth.Principal, project uuid.UUID) (ticket string, expires time.Time, err error) {
	expires = t.now().Add(ticketTime).UTC().Truncate(time.Second)
	s := statement{Project: project, Kind: p.Kind, Account: p.AccountID, Session: p.SessionID, KeyID: p.KeyID, Nonce: uuid.New(), Expires: expires.Unix()}
	b, err := json.Marshal(s)
	if err != nil {
		return "", expires, fmt.Errorf("encode a ticket: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append(sign(t.keys[0], b), b...)), expires, nil
}

func sign(key, b []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(b)
	return mac.Sum(nil)
}

// open reads a ticket for a project, without using it.
func (t *tickets) open(ticket string, project uuid.UUID) (*auth.Principal, spent, error) {
	invalid := problem.New(problem.CodeInvalidTicket, "The ticket is not one of this project and server, or was changed. Get a new one.")
	b, err := base64.RawURLEncoding.Strict().DecodeString(ticket)
	if err != nil || len(b) < sha256.Size {
		return nil, spent{}, invalid
	}
	signature, b := b[:sha256.Size], b[sha256.Size:]
	genuine := false
	for _, key := range t.keys {
		genuine = genuine || hmac.Equal(signature, sign(key, b))
	}
	var s statement
	if !genuine || json.Unmarshal(b, &s) != nil || s.Project != project {
		return nil, spent{}, invalid
	}
	expires := time.Unix(s.Expires, 0)
	if !t.now().Before(expires) {
		return nil, spent{}, problem.New(problem.CodeInvalidTicket, "The ticket has expired. Get a new one for each stream.")
	}
	p := &auth.Principal{Kind: s.Kind, AccountID: s.Account, SessionID: s.Session, KeyID: s.KeyID}
	if s.Kind == auth.KindAPIKey {
		p.ProjectID = s.Project
	}
	return p, spent{s.Nonce, expires}, nil
}

// spend marks a ticket as used and returns false when it was used before.
func (t *tickets) spend(s spent) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, again := t.used[s.Nonce]; again {
		return false
	}
	t.used[s.Nonce] = s.Expires
	return true
}

// forget removes used tickets that have expired.
func (t *tickets) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for nonce, expires := range t.used {
		if !now.Before(expires) {
			delete(t.used, nonce)
		}
	}
}

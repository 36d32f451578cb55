package accounts

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/bcrypt"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

const (
	testEmail    = "ada@example.com"
	testPassword = "Correct-Horse-7"
	otherGood    = "Battery-Staple-8"
	place        = "192.0.2.1"
)

var testSecret = []byte("0123456789abcdef0123456789abcdef")

// testClock is a clock that only the test moves.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type testBundle struct {
	*Service
	pool  *pgxpool.Pool
	clock *testClock
}

func setup(t testing.TB) *testBundle {
	t.Helper()
	b := &testBundle{pool: nimbustest.DB(t), clock: &testClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	b.Service = b.another(t, nil)
	return b
}

// another is a second node, or the same one after a restart.
func (b *testBundle) another(t testing.TB, change func(*Config)) *Service {
	t.Helper()
	config := Config{Secret: testSecret, BcryptCost: bcrypt.MinCost, Now: b.clock.Now}
	if change != nil {
		change(&config)
	}
	s, err := New(b.pool, config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *testBundle) register(t testing.TB) *Session {
	t.Helper()
	s, err := b.Register(t.Context(), NewAccount{Email: testEmail, Password: testPassword})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *testBundle) count(t testing.TB, query string, args ...any) (n int) {
	t.Helper()
	if err := b.pool.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (b *testBundle) liveSessions(t testing.TB) int {
	t.Helper()
	return b.count(t, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL")
}

func wantCode(t testing.TB, err error, code problem.Code) {
	t.Helper()
	if !problem.Is(err, code) {
		t.Fatalf("got %v, want %s", err, code)
	}
}

func wantAccess(t testing.TB, s *Service, session *Session) {
	t.Helper()
	p, err := s.VerifyAccess(t.Context(), session.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if p.AccountID != session.Account.ID {
		t.Fatalf("token of account %s, want %s", p.AccountID, session.Account.ID)
	}
}

func TestRegisterCreatesAnAccountThatCanLogIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s, err := b.Register(t.Context(), NewAccount{Email: "Ada@Example.COM", Password: testPassword})
	if err != nil {
		t.Fatal(err)
	}
	if s.Account.Email != testEmail || s.ExpiresIn != time.Hour || !strings.HasPrefix(s.RefreshToken, "nr_") {
		t.Errorf("got %+v", s)
	}
	wantAccess(t, b.Service, s)
	for _, email := range []string{testEmail, "ADA@EXAMPLE.COM"} {
		again, err := b.Login(t.Context(), email, testPassword, place)
		if err != nil {
			t.Fatal(err)
		}
		wantAccess(t, b.Service, again)
	}
}

func TestNoSecretIsStoredInTheClear(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	if _, err := b.Refresh(t.Context(), s.RefreshToken); err != nil {
		t.Fatal(err)
	}
	var everything string
	err := b.pool.QueryRow(t.Context(), `SELECT (SELECT string_agg(a::text, '') FROM accounts a)
		|| (SELECT string_agg(s::text, '') FROM sessions s)
		|| (SELECT string_agg(encode(token_hash, 'escape') || r::text, '') FROM refresh_tokens r)`).Scan(&everything)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{testPassword, s.RefreshToken, s.RefreshToken[3:], s.AccessToken} {
		if strings.Contains(everything, secret) {
			t.Errorf("%q is stored", secret)
		}
	}
}

func TestRegisterRefusesATakenAddressInAnyCase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	_, err := b.Register(t.Context(), NewAccount{Email: "ADA@example.com", Password: otherGood})
	wantCode(t, err, problem.CodeEmailTaken)
	if n := b.liveSessions(t); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}

func TestOfManyRegistrationsOfOneAddressOneWins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	won := 0
	for _, err := range together(6, func(int) error {
		_, err := b.Register(t.Context(), NewAccount{Email: testEmail, Password: testPassword})
		return err
	}) {
		if err == nil {
			won++
			continue
		}
		wantCode(t, err, problem.CodeEmailTaken)
	}
	if won != 1 || b.count(t, "SELECT count(*) FROM accounts") != 1 || b.liveSessions(t) != 1 {
		t.Errorf("%d won", won)
	}
}

// together runs f n times at once and returns what each returned.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func TestRegisterTurnsAnAddressTheDatabaseRefusesIntoAFieldError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.Register(t.Context(), NewAccount{Email: "ada\x00@example.com", Password: testPassword})
	wantFields(t, err, "/email format")
}

func TestLoginDoesNotTellWhatWasWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	want := ""
	for _, c := range []struct{ name, email, password string }{
		{"wrong password", testEmail, otherGood},
		{"unknown account", "bob@example.com", testPassword},
		{"password in another case", testEmail, strings.ToLower(testPassword)},
		{"too long a password", testEmail, strings.Repeat("Aa1", 300)},
		{"U+0000 in the address", "ada\x00@example.com", testPassword},
		{"bytes that are not UTF-8", "ada\xff@example.com", testPassword},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := b.Login(t.Context(), c.email, c.password, place)
			wantCode(t, err, problem.CodeInvalidCredentials)
			if want == "" {
				want = err.Error()
			}
			if err.Error() != want {
				t.Errorf("got %q, others got %q", err, want)
			}
		})
	}
	if n := b.liveSessions(t); n != 1 {
		t.Errorf("%d sessions, want the one of registering", n)
	}
}

func TestLogoutStopsEveryTokenOfTheSessionAndNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ended := b.register(t)
	kept, err := b.Login(t.Context(), testEmail, testPassword, place)
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.VerifyRefresh(t.Context(), ended.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Logout(t.Context(), p.AccountID, p.SessionID); err != nil {
		t.Fatal(err)
	}
	node := b.another(t, nil)
	_, err = node.VerifyAccess(t.Context(), ended.AccessToken)
	wantCode(t, err, problem.CodeSessionEnded)
	_, err = node.VerifyRefresh(t.Context(), ended.RefreshToken)
	wantCode(t, err, problem.CodeSessionEnded)
	_, err = node.Refresh(t.Context(), ended.RefreshToken)
	wantCode(t, err, problem.CodeSessionEnded)
	wantCode(t, node.Logout(t.Context(), p.AccountID, p.SessionID), problem.CodeSessionEnded)
	wantAccess(t, node, kept)
}

func TestChangePasswordEndsEverySessionAndOpensOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.register(t)
	second, err := b.Login(t.Context(), testEmail, testPassword, place)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := b.ChangePassword(t.Context(), first.Account.ID, testPassword, otherGood)
	if err != nil {
		t.Fatal(err)
	}
	wantAccess(t, b.Service, fresh)
	if _, err := b.Refresh(t.Context(), fresh.RefreshToken); err != nil {
		t.Error(err)
	}
	for _, old := range []*Session{first, second} {
		_, err := b.VerifyAccess(t.Context(), old.AccessToken)
		wantCode(t, err, problem.CodeSessionEnded)
		_, err = b.Refresh(t.Context(), old.RefreshToken)
		wantCode(t, err, problem.CodeSessionEnded)
	}
	_, err = b.Login(t.Context(), testEmail, testPassword, place)
	wantCode(t, err, problem.CodeInvalidCredentials)
	if _, err = b.Login(t.Context(), testEmail, otherGood, place); err != nil {
		t.Error(err)
	}
}

func TestChangePasswordRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)

	_, err := b.ChangePassword(t.Context(), s.Account.ID, otherGood, "Another-Good-9")
	wantCode(t, err, problem.CodeInvalidCredentials)
	_, err = b.ChangePassword(t.Context(), uuid.New(), testPassword, otherGood)
	wantCode(t, err, problem.CodeInvalidCredentials)
	_, err = b.ChangePassword(t.Context(), s.Account.ID, testPassword, testPassword)
	wantFields(t, err, "/new_password password_unchanged")
	weak := strings.Repeat("ä", 40)
	_, err = b.ChangePassword(t.Context(), s.Account.ID, weak, weak)
	wantFields(t, err, "/new_password length", "/new_password password_weak", "/new_password password_unchanged")

	wantAccess(t, b.Service, s)
	if _, err := b.Login(t.Context(), testEmail, testPassword, place); err != nil {
		t.Error(err)
	}
}

func TestOfManyChangesOfOnePasswordOneWins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	won := 0
	for _, err := range together(4, func(i int) error {
		_, err := b.ChangePassword(t.Context(), s.Account.ID, testPassword, otherGood+string(rune('0'+i)))
		return err
	}) {
		if err == nil {
			won++
			continue
		}
		wantCode(t, err, problem.CodeInvalidCredentials)
	}
	if n := b.liveSessions(t); won != 1 || n != 1 {
		t.Errorf("%d won and %d sessions live, want 1 and 1", won, n)
	}
}

func TestALoginWithTheOldPasswordDoesNotSurviveItsChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	node := b.another(t, nil)
	var once sync.Once
	b.passwords.compare = func(hash, password []byte) error {
		err := bcrypt.CompareHashAndPassword(hash, password)
		// The password was right when it was checked, and is changed before the session is opened.
		once.Do(func() {
			if _, err := node.ChangePassword(t.Context(), s.Account.ID, testPassword, otherGood); err != nil {
				t.Error(err)
			}
		})
		return err
	}
	_, err := b.Login(t.Context(), testEmail, testPassword, place)
	wantCode(t, err, problem.CodeInvalidCredentials)
	if n := b.liveSessions(t); n != 1 {
		t.Errorf("%d sessions live, want only that of the change", n)
	}
}

func TestALoginStandsWhenAnotherRehashesTheSamePassword(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	node := b.another(t, func(c *Config) { c.BcryptCost = 5 })
	var once sync.Once
	b.passwords.compare = func(hash, password []byte) error {
		err := bcrypt.CompareHashAndPassword(hash, password)
		once.Do(func() {
			if _, err := node.Login(t.Context(), testEmail, testPassword, place); err != nil {
				t.Error(err)
			}
		})
		return err
	}
	s, err := b.Login(t.Context(), testEmail, testPassword, place)
	if err != nil {
		t.Fatal(err)
	}
	wantAccess(t, b.Service, s)
}

func TestMeIsTheAccountWhileItExists(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	me, err := b.Me(t.Context(), s.Account.ID)
	if err != nil || me != s.Account {
		t.Fatalf("got %+v, %v", me, err)
	}
	if _, err := b.pool.Exec(t.Context(), "DELETE FROM accounts"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Me(t.Context(), s.Account.ID)
	wantCode(t, err, problem.CodeSessionEnded)
	_, err = b.VerifyAccess(t.Context(), s.AccessToken)
	wantCode(t, err, problem.CodeSessionEnded)
	_, err = b.Refresh(t.Context(), s.RefreshToken)
	wantCode(t, err, problem.CodeInvalidToken)
}

func TestPruneRemovesWhatEndedADayAgoAndNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	_, err := b.pool.Exec(t.Context(), `INSERT INTO sessions (id, account_id, expires_at)
		SELECT gen_random_uuid(), $1, $2::timestamptz - interval '1 hour' FROM generate_series(1, 2500)`,
		s.Account.ID, b.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Prune(t.Context(), b.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n := b.liveSessions(t); n != 2501 {
		t.Fatalf("%d sessions left, want all while the day is not over", n)
	}
	b.clock.advance(23*time.Hour + time.Second)
	if err := b.Prune(t.Context(), b.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n := b.liveSessions(t); n != 1 {
		t.Errorf("%d sessions left, want the one that is still good", n)
	}
	b.clock.advance(8 * 24 * time.Hour)
	if err := b.Prune(t.Context(), b.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, "SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM refresh_tokens)"); n != 0 {
		t.Errorf("%d rows left", n)
	}
}

func TestADatabaseThatIsAwayIsNotABadCredential(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	b.pool.Close()
	ctx := context.Background()
	for name, call := range map[string]func() error{
		"register": func() error {
			_, err := b.Register(ctx, NewAccount{Email: "bob@example.com", Password: testPassword})
			return err
		},
		"login":           func() error { _, err := b.Login(ctx, testEmail, testPassword, place); return err },
		"refresh":         func() error { _, err := b.Refresh(ctx, s.RefreshToken); return err },
		"verify access":   func() error { _, err := b.VerifyAccess(ctx, s.AccessToken); return err },
		"verify refresh":  func() error { _, err := b.VerifyRefresh(ctx, s.RefreshToken); return err },
		"logout":          func() error { return b.Logout(ctx, s.Account.ID, uuid.New()) },
		"sessions":        func() error { _, err := b.Sessions(ctx, s.Account.ID); return err },
		"revoke session":  func() error { return b.RevokeSession(ctx, s.Account.ID, uuid.New()) },
		"me":              func() error { _, err := b.Me(ctx, s.Account.ID); return err },
		"change password": func() error { _, err := b.ChangePassword(ctx, s.Account.ID, testPassword, otherGood); return err },
		"prune":           func() error { return b.Prune(ctx, b.clock.Now()) },
	} {
		err := call()
		var p *problem.Error
		if !postgres.IsUnavailable(err) || errors.As(err, &p) {
			t.Errorf("%s: got %v, want an error of the database", name, err)
		}
	}
}

func TestNewNamesEveryProblemOfTheConfiguration(t *testing.T) {
	t.Parallel()
	_, err := New(nil, Config{Secret: []byte("short"), AccessTTL: 8 * 24 * time.Hour, RefreshGrace: -1, BcryptCost: 40})
	for _, part := range []string{"secret", "access token lifetime", "refresh grace", "bcrypt cost"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not name %q", err, part)
		}
	}
	s, err := New(nil, Config{Secret: testSecret})
	if err != nil {
		t.Fatal(err)
	}
	if s.access.ttl != time.Hour || s.refreshTTL != 168*time.Hour || s.refreshGrace != 10*time.Second || s.passwords.cost != 12 {
		t.Errorf("defaults are %+v", s)
	}
}

package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/turns"
)

// wantFields checks the field errors, each given as "pointer code".
func wantFields(t testing.TB, err error, want ...string) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != problem.CodeValidation {
		t.Fatalf("got %v, want field errors %v", err, want)
	}
	var got []string
	for _, f := range p.Fields {
		got = append(got, f.Pointer+" "+f.Code)
		if f.In != contract.InBody || f.Item != -1 || f.Detail == "" {
			t.Errorf("field error %+v", f)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPasswordRules(t *testing.T) {
	t.Parallel()
	const length, weak = contract.CodeLength, codePasswordWeak
	for _, c := range []struct {
		name, password string
		want           []string
	}{
		{"good", testPassword, nil},
		{"shortest", "Abcdefg1", nil},
		{"longest", "A1" + strings.Repeat("a", 70), nil},
		{"longest in bytes", "A1" + strings.Repeat("ä", 35), nil},
		{"letters of other alphabets", "Привет-мир-7", nil},
		{"digits of other scripts", "Marhaba-٣٣", nil},
		{"a space is a character", "Aa1     ", nil},
		{"one byte short", "Abcdef1", []string{length}},
		{"one byte long", "A1" + strings.Repeat("a", 71), []string{length}},
		{"72 characters but more bytes", "A1" + strings.Repeat("ä", 70), []string{length}},
		{"no lower case", "ABCDEFG1", []string{weak}},
		{"no upper case", "abcdefg1", []string{weak}},
		{"no digit", "Abcdefgh", []string{weak}},
		{"letters without case", "漢字漢字漢字1", []string{weak}},
		{"everything wrong", "-", []string{length, weak}},
		{"empty", "", []string{length, weak}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, e := range passwordErrors("/password", c.password) {
				got = append(got, e.Code)
				if c.password != "" && c.password != "-" && strings.Contains(e.Detail, c.password) {
					t.Errorf("the detail repeats the password: %s", e.Detail)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestAWeakPasswordIsToldEverythingItLacks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.Register(t.Context(), NewAccount{Email: testEmail, Password: "------"})
	wantFields(t, err, "/password length", "/password password_weak")
	var p *problem.Error
	errors.As(err, &p)
	for _, part := range []string{"lower-case", "upper-case", "digit"} {
		if !strings.Contains(p.Fields[1].Detail, part) {
			t.Errorf("%q does not name %s", p.Fields[1].Detail, part)
		}
	}
	if n := b.count(t, "SELECT count(*) FROM accounts"); n != 0 {
		t.Errorf("%d accounts", n)
	}
}

// Times cannot be compared in a test, but work can: two refusals of equal work take equal time.
func TestEveryRefusalCostsTheSameWork(t *testing.T) {
	t.Parallel()
	const cost = 6
	b := setup(t)
	longest := "A1" + strings.Repeat("a", 70)
	for email, made := range map[string]struct {
		cost     int
		password string
	}{
		"now@example.com":  {cost, testPassword},
		"old@example.com":  {bcrypt.MinCost, testPassword},
		"long@example.com": {cost, longest},
	} {
		node := b.another(t, func(c *Config) { c.BcryptCost = made.cost })
		if _, err := node.Register(t.Context(), NewAccount{Email: email, Password: made.password}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, email, password string }{
		{"wrong password", "now@example.com", otherGood},
		{"unknown account", "nobody@example.com", testPassword},
		{"hash of a lower cost", "old@example.com", otherGood},
		{"right for the 72 bytes bcrypt looks at, but longer", "long@example.com", longest + "x"},
		{"unknown account and too long", "nobody@example.com", longest + "x"},
		{"what the database cannot hold", "\x00", testPassword},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			node := b.another(t, func(c *Config) { c.BcryptCost = cost })
			work := 0
			node.passwords.compare = func(hash, password []byte) error {
				of, err := bcrypt.Cost(hash)
				if err != nil {
					t.Error(err)
				}
				err = bcrypt.CompareHashAndPassword(hash, password)
				if err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
					t.Errorf("no comparison took place: %v", err)
				}
				work += 1 << of
				return err
			}
			_, err := node.Login(t.Context(), c.email, c.password, place)
			wantCode(t, err, problem.CodeInvalidCredentials)
			if work != 1<<cost {
				t.Errorf("work %d, want %d", work, 1<<cost)
			}
		})
	}
}

func TestLoginRehashesWhenTheCostHasChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	for _, cost := range []int{5, 4} {
		node := b.another(t, func(c *Config) { c.BcryptCost = cost })
		for range 2 {
			s, err := node.Login(t.Context(), testEmail, testPassword, place)
			if err != nil {
				t.Fatal(err)
			}
			wantAccess(t, node, s)
		}
		var hash string
		if err := b.pool.QueryRow(t.Context(), "SELECT password_hash FROM accounts").Scan(&hash); err != nil {
			t.Fatal(err)
		}
		if got, _ := bcrypt.Cost([]byte(hash)); got != cost {
			t.Errorf("cost %d, want %d", got, cost)
		}
	}
}

func TestAFailedLoginDoesNotRehash(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	node := b.another(t, func(c *Config) { c.BcryptCost = 5 })
	_, err := node.Login(t.Context(), testEmail, otherGood, place)
	wantCode(t, err, problem.CodeInvalidCredentials)
	if n := b.count(t, "SELECT count(*) FROM accounts WHERE password_hash LIKE '$2a$04$%'"); n != 1 {
		t.Error("the hash changed")
	}
}

// from is a context of a request that came from this network.
func from(ctx context.Context, network string) context.Context {
	return auth.WithRequest(ctx, auth.Request{Network: network})
}

func TestAFloodOfLoginsKeepsToItsTurns(t *testing.T) {
	t.Parallel()
	p := newPasswords(bcrypt.MinCost)
	var running, most atomic.Int32
	p.compare = func(hash, password []byte) error {
		n := running.Add(1)
		defer running.Add(-1)
		for {
			seen := most.Load()
			if n <= seen || most.CompareAndSwap(seen, n) {
				break
			}
		}
		return bcrypt.CompareHashAndPassword(hash, password)
	}
	for _, err := range together(32, func(i int) error {
		_, err := p.check(from(t.Context(), strconv.Itoa(i)), "", testPassword)
		return err
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	if got := int(most.Load()); got > passwordSlots() {
		t.Errorf("%d at once, want at most %d", got, passwordSlots())
	}
}

// slow has every password take a second of the bubble's clock, and notes in which order they were done.
func slow(p *passwords) (done func() []string) {
	var mu sync.Mutex
	var order []string
	work := func(password []byte) {
		time.Sleep(time.Second) //nolint:forbidigo // in a bubble of synctest nobody waits for it
		mu.Lock()
		defer mu.Unlock()
		order = append(order, string(password))
	}
	p.compare = func(_, password []byte) error { work(password); return bcrypt.ErrMismatchedHashAndPassword }
	p.generate = func(password []byte, _ int) ([]byte, error) { work(password); return nil, nil }
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(order)
	}
}

func TestAFloodOfRegistrationsDelaysALoginByOneHash(t *testing.T) {
	t.Parallel()
	for name, network := range map[string]string{"from elsewhere": "203.0.113.5", "from the same office": "192.0.2.1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPasswords(bcrypt.MinCost)
				slow(p)
				var refused atomic.Int32
				flood := from(t.Context(), "192.0.2.1")
				var wg sync.WaitGroup
				defer wg.Wait()
				for range 120 {
					wg.Go(func() {
						begun := time.Now()
						_, err := p.hash(flood, notUrgent, "stranger")
						if err == nil {
							return
						}
						refused.Add(1)
						var told *problem.Error
						if !errors.As(err, &told) || told.Code != problem.CodeRateLimited || told.RetryAfter != time.Second || time.Since(begun) != 0 {
							t.Errorf("%v after %v", err, time.Since(begun))
						}
					})
				}
				synctest.Wait()
				if got, least := refused.Load(), int32(120-passwordSlots()-waitingPasswords); got < least {
					t.Errorf("%d of 120 registrations were refused, want %d at least", got, least)
				}
				begun := time.Now()
				if _, err := p.check(from(t.Context(), network), "", testPassword); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took > 2*time.Second { // its own hash, and one of the flood
					t.Errorf("a login took %v hashes", took.Seconds())
				}
			})
		})
	}
}

func TestNetworksTakeTurnsAndLoggingInComesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPasswords(bcrypt.MinCost)
		p.turns = turns.New(turns.Config{Slots: 1, Share: 1, Waiting: waitingPasswords, Patience: time.Minute})
		done := slow(p)
		register := func(network, password string) {
			go func() { _, _ = p.hash(from(t.Context(), network), notUrgent, password) }()
			synctest.Wait()
		}
		login := func(network, password string) {
			go func() { _, _ = p.check(from(t.Context(), network), "", password) }()
			synctest.Wait()
		}
		for i := range 3 {
			register("192.0.2.1", fmt.Sprint("flood", i))
		}
		register("192.0.2.2", "newcomer")
		for i := range 2 {
			login("192.0.2.3", fmt.Sprint("guess", i))
		}
		login("192.0.2.4", "person")
		time.Sleep(time.Minute) //nolint:forbidigo // as above
		synctest.Wait()
		want := []string{"flood0", "guess0", "person", "guess1", "flood1", "newcomer", "flood2"}
		if got := done(); !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

// takeAll leaves no turn: hashing would wait.
func (p *passwords) takeAll(t *testing.T) (leave []func()) {
	t.Helper()
	for i := range passwordSlots() {
		l, err := p.take(from(t.Context(), "busy "+strconv.Itoa(i)), urgent)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	return leave
}

func TestWaitingForATurnEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	p := newPasswords(bcrypt.MinCost)
	leave := p.takeAll(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(cancel)
	_, err := p.check(ctx, "", testPassword)
	wg.Wait()
	wantCode(t, err, problem.CodeTimeout)
	_, err = p.hash(ctx, notUrgent, testPassword)
	wantCode(t, err, problem.CodeTimeout)

	for _, l := range leave {
		l()
	}
	if _, err := p.check(t.Context(), "", testPassword); err != nil {
		t.Errorf("with a turn free: %v", err)
	}
	_, err = p.check(ctx, "", testPassword)
	wantCode(t, err, problem.CodeTimeout) // nobody works for a caller who has gone
}

func TestAPasswordWaitsNoLongerThanItsPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPasswords(bcrypt.MinCost)
		for _, leave := range p.takeAll(t) {
			defer leave()
		}
		begun := time.Now()
		_, err := p.check(t.Context(), "", testPassword)
		wantCode(t, err, problem.CodeTimeout)
		if took := time.Since(begun); took != turnPatience {
			t.Errorf("waited %v", took)
		}
	})
}

func TestADamagedStoredHashIsAnErrorAndNotARefusal(t *testing.T) {
	t.Parallel()
	p := newPasswords(bcrypt.MinCost)
	for _, hash := range []string{"x", "$2a$04$", "$9z$04$" + strings.Repeat("a", 53), "$2a$99$" + strings.Repeat("a", 53)} {
		ok, err := p.check(t.Context(), hash, testPassword)
		var told *problem.Error
		if ok || err == nil || errors.As(err, &told) {
			t.Errorf("%q: got %v, %v", hash, ok, err)
		}
	}
}

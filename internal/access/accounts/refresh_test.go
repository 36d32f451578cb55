package accounts

import (
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

func (b *testBundle) refresh(t testing.TB, token string) *Session {
	t.Helper()
	s, err := b.Refresh(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRefreshRotatesAndKeepsTheSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.register(t)
	token := first.RefreshToken
	for range 5 {
		b.clock.advance(6 * 24 * time.Hour) // within the lifetime of each token, but beyond that of the first
		p, err := b.VerifyRefresh(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		next := b.refresh(t, token)
		if next.RefreshToken == token || next.Account != first.Account {
			t.Fatalf("got %+v", next)
		}
		wantAccess(t, b.Service, next)
		access, err := b.VerifyAccess(t.Context(), next.AccessToken)
		if err != nil || access.SessionID != p.SessionID {
			t.Fatalf("session %v, %v, want %s", access, err, p.SessionID)
		}
		token = next.RefreshToken
	}
	if n := b.count(t, "SELECT count(*) FROM sessions"); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestVerifyRefresh(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	p, err := b.VerifyRefresh(t.Context(), s.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if p.Kind != auth.KindRefresh || p.AccountID != s.Account.ID || p.RefreshToken != s.RefreshToken ||
		p.Scopes != nil {
		t.Errorf("got %+v", p)
	}
	for name, c := range map[string]struct {
		token string
		code  problem.Code
	}{
		"access token":   {s.AccessToken, problem.CodeWrongTokenType},
		"empty":          {"", problem.CodeWrongTokenType},
		"other prefix":   {"NR_" + s.RefreshToken[3:], problem.CodeWrongTokenType},
		"only prefix":    {"nr_", problem.CodeInvalidToken},
		"unknown":        {refreshChain{}.first(), problem.CodeInvalidToken},
		"longer":         {s.RefreshToken + "A", problem.CodeInvalidToken},
		"U+0000 and all": {"nr_" + string(make([]byte, 43)), problem.CodeInvalidToken},
	} {
		_, err := b.VerifyRefresh(t.Context(), c.token)
		if !problem.Is(err, c.code) {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
	// Verifying spends nothing.
	b.refresh(t, s.RefreshToken)
}

func TestALostReplyLogsNobodyOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	first := b.refresh(t, s.RefreshToken)
	b.clock.advance(10*time.Second - time.Microsecond)

	restarted := b.another(t, nil)
	again, err := restarted.Refresh(t.Context(), s.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if again.RefreshToken != first.RefreshToken {
		t.Error("another successor after a restart")
	}
	wantAccess(t, b.Service, again)
	if n := b.count(t, "SELECT count(*) FROM refresh_tokens"); n != 2 {
		t.Errorf("%d tokens stored, want 2", n)
	}
	b.refresh(t, first.RefreshToken)
}

func TestTheGraceIsNotProlongedByUsingIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	b.refresh(t, s.RefreshToken)
	b.clock.advance(6 * time.Second)
	b.refresh(t, s.RefreshToken)
	b.clock.advance(6 * time.Second)
	_, err := b.Refresh(t.Context(), s.RefreshToken)
	wantCode(t, err, problem.CodeTokenReused)
}

func TestReuseAfterTheGraceEndsTheSessionForEveryone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	other, err := b.Login(t.Context(), testEmail, testPassword, place)
	if err != nil {
		t.Fatal(err)
	}
	next := b.refresh(t, s.RefreshToken)
	b.clock.advance(10 * time.Second)

	if _, err := b.VerifyRefresh(t.Context(), s.RefreshToken); err != nil {
		t.Fatalf("reuse must reach Refresh, which acts on it: %v", err)
	}
	_, err = b.Refresh(t.Context(), s.RefreshToken)
	wantCode(t, err, problem.CodeTokenReused)
	_, err = b.VerifyAccess(t.Context(), next.AccessToken)
	wantCode(t, err, problem.CodeSessionEnded)
	for _, token := range []string{next.RefreshToken, s.RefreshToken} {
		_, err = b.Refresh(t.Context(), token)
		wantCode(t, err, problem.CodeSessionEnded)
	}
	wantAccess(t, b.Service, other) // another login of the same person is another family
}

func TestReuseWithinTheGraceIsReuseOnceTheSuccessorWasUsed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	second := b.refresh(t, s.RefreshToken)
	third := b.refresh(t, second.RefreshToken)
	_, err := b.Refresh(t.Context(), s.RefreshToken)
	wantCode(t, err, problem.CodeTokenReused)
	_, err = b.Refresh(t.Context(), third.RefreshToken)
	wantCode(t, err, problem.CodeSessionEnded)
}

func TestASuccessorOfAnotherSecretIsNotForkedWithinTheGrace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	next := b.refresh(t, s.RefreshToken)
	changed := b.another(t, func(c *Config) { c.Secret = []byte("ffffffffffffffffffffffffffffffff") })

	_, err := changed.VerifyAccess(t.Context(), next.AccessToken)
	wantCode(t, err, problem.CodeInvalidToken)
	further, err := changed.Refresh(t.Context(), next.RefreshToken)
	if err != nil {
		t.Fatalf("a refresh token outlives a change of the secret: %v", err)
	}
	wantAccess(t, changed, further)
	_, err = b.Refresh(t.Context(), next.RefreshToken)
	wantCode(t, err, problem.CodeTokenReused)
	if n := b.liveSessions(t); n != 0 {
		t.Errorf("%d sessions live", n)
	}
}

func TestAnExpiredRefreshTokenIsToldSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	b.clock.advance(7*24*time.Hour - time.Second)
	if _, err := b.VerifyRefresh(t.Context(), s.RefreshToken); err != nil {
		t.Fatal(err)
	}
	b.clock.advance(time.Second)
	_, err := b.VerifyRefresh(t.Context(), s.RefreshToken)
	wantCode(t, err, problem.CodeTokenExpired)
	_, err = b.Refresh(t.Context(), s.RefreshToken)
	wantCode(t, err, problem.CodeTokenExpired)
	_, err = b.VerifyAccess(t.Context(), s.AccessToken)
	wantCode(t, err, problem.CodeTokenExpired)
}

func TestJudge(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	const grace = 10 * time.Second
	for name, c := range map[string]struct {
		token refreshToken
		want  verdict
	}{
		"unused":                     {refreshToken{expiresAt: now.Add(1)}, verdictRotate},
		"expired":                    {refreshToken{expiresAt: now}, verdictExpired},
		"used just now":              {refreshToken{expiresAt: now.Add(1), usedAt: ago(0)}, verdictAgain},
		"used within the grace":      {refreshToken{expiresAt: now.Add(1), usedAt: ago(grace - 1)}, verdictAgain},
		"used by a clock ahead":      {refreshToken{expiresAt: now.Add(1), usedAt: ago(-time.Second)}, verdictAgain},
		"used, grace over":           {refreshToken{expiresAt: now.Add(1), usedAt: ago(grace)}, verdictReused},
		"used in the last second":    {refreshToken{expiresAt: now, usedAt: ago(time.Second)}, verdictAgain},
		"used long ago and expired":  {refreshToken{expiresAt: now, usedAt: ago(time.Hour)}, verdictReused},
		"session over":               {refreshToken{expiresAt: now.Add(1), revoked: true}, verdictEnded},
		"session over, token used":   {refreshToken{expiresAt: now.Add(1), usedAt: ago(time.Hour), revoked: true}, verdictEnded},
		"session over, also expired": {refreshToken{expiresAt: now, revoked: true}, verdictEnded},
	} {
		if got := c.token.judge(now, grace); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

func TestManyRefreshesOfOneTokenAtOnceGetOneSuccessor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	node := b.another(t, nil)
	s := b.register(t)
	got := make([]string, 16)
	for _, err := range together(len(got), func(i int) error {
		service := b.Service
		if i%2 == 1 {
			service = node
		}
		next, err := service.Refresh(t.Context(), s.RefreshToken)
		if err == nil {
			got[i] = next.RefreshToken
		}
		return err
	}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if one := slices.Compact(got); len(one) != 1 {
		t.Errorf("%d different successors", len(one))
	}
	if n := b.count(t, "SELECT count(*) FROM sessions"); n != 1 {
		t.Errorf("%d sessions", n)
	}
	if n := b.count(t, "SELECT count(*) FROM refresh_tokens"); n != 2 {
		t.Errorf("%d tokens, want 2", n)
	}
	b.refresh(t, got[0])
}

// Neighbouring tokens share a session row. Whatever the answers are, none may be that two transactions stood in each
// other's way.
func TestNeighbouringTokensUsedAtOnceAllGetAnAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	for round := range 10 {
		s, err := b.Login(t.Context(), testEmail, testPassword, place)
		if err != nil {
			t.Fatal(err)
		}
		second := b.refresh(t, s.RefreshToken)
		tokens := []string{s.RefreshToken, second.RefreshToken}
		for i, err := range together(12, func(i int) error {
			if i%3 == 0 {
				_, err := b.VerifyRefresh(t.Context(), tokens[i%2])
				return err
			}
			_, err := b.Refresh(t.Context(), tokens[i%2])
			return err
		}) {
			if err != nil && !problem.Is(err, problem.CodeTokenReused) && !problem.Is(err, problem.CodeSessionEnded) {
				t.Errorf("round %d, call %d: %v", round, i, err)
			}
		}
	}
}

func TestSuccessorsNeedTheKey(t *testing.T) {
	t.Parallel()
	one, err := newRefreshChain(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newRefreshChain(append([]byte{1}, testSecret...))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i := range 100 {
		token := one.first()
		for _, made := range []string{token, one.successor(token), other.successor(token)} {
			raw, err := base64.RawURLEncoding.DecodeString(made[len(refreshPrefix):])
			if err != nil || len(raw) != refreshBytes || len(made) != refreshLength {
				t.Fatalf("%d: %q: %v", i, made, err)
			}
			if seen[made] {
				t.Fatalf("%q twice", made)
			}
			seen[made] = true
		}
		if !seen[one.successor(token)] {
			t.Fatal("a successor must always be the same")
		}
	}
}

func FuzzVerifyRefresh(f *testing.F) {
	b := setup(f)
	s := b.register(f)
	for _, seed := range []string{"", "nr_", s.RefreshToken, s.RefreshToken[:45] + "!", s.AccessToken, "nr_" + string(make([]byte, 43)), "nr_\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		p, err := b.VerifyRefresh(t.Context(), token)
		if err == nil {
			if token != s.RefreshToken || p.AccountID != s.Account.ID {
				t.Fatalf("%q let %+v in", token, p)
			}
			return
		}
		if !problem.Is(err, problem.CodeWrongTokenType) && !problem.Is(err, problem.CodeInvalidToken) {
			t.Fatal(fmt.Errorf("%q: %w", token, err))
		}
	})
}

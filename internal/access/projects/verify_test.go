package projects_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// signed is one request, right in everything until a test changes it.
type signed struct {
	keyID, timestamp, signature, method, path string
	body                                      func() ([]byte, error)
}

func (b *testBundle) sign(pair projects.Pair, at time.Time) signed {
	const body = `{"events":[]}`
	return signed{
		pair.ID, unix(at), projects.Sign(pair.Secret, unix(at), "POST", "/v1/events", []byte(body)), "POST", "/v1/events",
		func() ([]byte, error) { return []byte(body), nil },
	}
}

func (b *testBundle) verifySigned(t testing.TB, s signed) (*auth.Principal, error) {
	t.Helper()
	return b.keys.VerifySignature(t.Context(), s.keyID, s.timestamp, s.signature, s.method, s.path, s.body)
}

func TestASignedRequestIsItsProjects(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, pair := b.create(t, "Web shop")
	request := b.sign(pair, b.clock.Now())
	got, err := b.verifySigned(t, request)
	want := &auth.Principal{
		Kind: auth.KindAPIKey, ProjectID: project.ID, KeyID: pair.ID, Scopes: keyScopes,
		Signature: request.signature, SignedAt: b.clock.Now().Unix(),
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("VerifySignature = %+v, %v; want %+v", got, err, want)
	}
}

func TestASecretSentWholeIsItsProjects(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, pair := b.create(t, "Web shop")
	got, err := b.keys.VerifySecret(t.Context(), pair.Secret)
	want := &auth.Principal{Kind: auth.KindAPIKey, ProjectID: project.ID, KeyID: pair.ID, Scopes: keyScopes, DialectsOff: []string{}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("VerifySecret = %+v, %v; want %+v", got, err, want)
	}
	for _, secret := range []string{"", "ns_", pair.Secret[:45], pair.Secret + "x", strings.ToUpper(pair.Secret), pair.ID, "ns_" + strings.Repeat("0", 43), "\xff"} {
		_, err := b.keys.VerifySecret(t.Context(), secret)
		wantCode(t, err, problem.CodeInvalidKey, "secret "+strconv.Quote(secret))
	}
}

func TestEveryChangeToASignedRequestIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, pair := b.create(t, "Web shop")
	_, other := b.create(t, "Another project of the same account")
	text := func(s string) func() ([]byte, error) { return func() ([]byte, error) { return []byte(s), nil } }
	for name, tc := range map[string]struct {
		change func(*signed)
		want   problem.Code
	}{
		"body":                         {func(s *signed) { s.body = text(`{"events":[] }`) }, problem.CodeInvalidSignature},
		"no body":                      {func(s *signed) { s.body = text("") }, problem.CodeInvalidSignature},
		"method":                       {func(s *signed) { s.method = "PUT" }, problem.CodeInvalidSignature},
		"path":                         {func(s *signed) { s.path = "/v1/events/" }, problem.CodeInvalidSignature},
		"timestamp":                    {func(s *signed) { s.timestamp = unix(b.clock.Now().Add(time.Second)) }, problem.CodeInvalidSignature},
		"timestamp with a sign":        {func(s *signed) { s.timestamp = "+" + s.timestamp }, problem.CodeInvalidSignature},
		"timestamp with a space":       {func(s *signed) { s.timestamp += " " }, problem.CodeInvalidSignature},
		"timestamp with a point":       {func(s *signed) { s.timestamp += ".5" }, problem.CodeInvalidSignature},
		"timestamp in hexadecimal":     {func(s *signed) { s.timestamp = "0x6968c1a8" }, problem.CodeInvalidSignature},
		"timestamp too long":           {func(s *signed) { s.timestamp = strings.Repeat("9", 40) }, problem.CodeInvalidSignature},
		"no timestamp":                 {func(s *signed) { s.timestamp = "" }, problem.CodeInvalidSignature},
		"timestamp with leading zeros": {func(s *signed) { s.timestamp = "0" + s.timestamp }, problem.CodeInvalidSignature},
		"upper-case signature":         {func(s *signed) { s.signature = strings.ToUpper(s.signature) }, problem.CodeInvalidSignature},
		"signature cut short":          {func(s *signed) { s.signature = s.signature[:62] }, problem.CodeInvalidSignature},
		"signature not hex":            {func(s *signed) { s.signature = strings.Repeat("g", 64) }, problem.CodeInvalidSignature},
		"no signature":                 {func(s *signed) { s.signature = "" }, problem.CodeInvalidSignature},
		"key of another project":       {func(s *signed) { s.keyID = other.ID }, problem.CodeInvalidSignature},
		"unknown key":                  {func(s *signed) { s.keyID = "nk_0000000000000000" }, problem.CodeInvalidKey},
		"secret as key id":             {func(s *signed) { s.keyID = pair.Secret }, problem.CodeInvalidKey},
		"key id with NUL":              {func(s *signed) { s.keyID = pair.ID[:18] + "\x00" }, problem.CodeInvalidKey},
		"key id not UTF-8":             {func(s *signed) { s.keyID = pair.ID[:18] + "\xff" }, problem.CodeInvalidKey},
		"no key id":                    {func(s *signed) { s.keyID = "" }, problem.CodeInvalidKey},
	} {
		request := b.sign(pair, b.clock.Now())
		tc.change(&request)
		principal, err := b.verifySigned(t, request)
		if principal != nil {
			t.Errorf("%s: a principal was returned", name)
		}
		wantCode(t, err, tc.want, name)
		if err != nil && strings.Contains(err.Error(), pair.Secret) {
			t.Errorf("%s: the error repeats the secret", name)
		}
	}
}

func TestTimestampsAreGoodForFiveMinutesEitherWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, pair := b.create(t, "Web shop")
	for seconds, detail := range map[int]string{
		0: "", 300: "", -300: "",
		301:  "The server's time is 1768473000 (2026-01-15T10:30:00Z). X-Api-Timestamp is 301 seconds ahead of it; at most 300 are allowed.",
		-301: "The server's time is 1768473000 (2026-01-15T10:30:00Z). X-Api-Timestamp is 301 seconds behind it; at most 300 are allowed.",
	} {
		_, err := b.verifySigned(t, b.sign(pair, b.clock.Now().Add(time.Duration(seconds)*time.Second)))
		if detail == "" {
			if err != nil {
				t.Errorf("%d s: %v", seconds, err)
			}
			continue
		}
		wantProblem(t, err, &problem.Error{Code: problem.CodeStaleTimestamp, Detail: detail}, strconv.Itoa(seconds))
	}

	request := b.sign(pair, b.clock.Now())
	request.timestamp += "000"
	_, err := b.verifySigned(t, request)
	if !problem.Is(err, problem.CodeStaleTimestamp) || !strings.Contains(err.Error(), "milliseconds") {
		t.Errorf("a timestamp in milliseconds: error %v, want a stale_timestamp that says so", err)
	}
}

func TestTheBodyIsReadOnlyForAKnownKeyAndItsErrorIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, pair := b.create(t, "Web shop")
	tooLarge := problem.New(problem.CodeBodyTooLarge, "too large")
	reads := 0
	body := func() ([]byte, error) { reads++; return nil, tooLarge }

	request := b.sign(pair, b.clock.Now())
	request.body = body
	if _, err := b.verifySigned(t, request); !errors.Is(err, tooLarge) || reads != 1 {
		t.Errorf("error %v after %d reads, want the body's own after one", err, reads)
	}
	for name, change := range map[string]func(*signed){
		"unknown key":         func(s *signed) { s.keyID = "nk_0000000000000000" },
		"stale timestamp":     func(s *signed) { s.timestamp = "1" },
		"malformed signature": func(s *signed) { s.signature = "x" },
	} {
		request := b.sign(pair, b.clock.Now())
		request.body = body
		change(&request)
		if _, err := b.verifySigned(t, request); err == nil || reads != 1 {
			t.Errorf("%s: error %v, and the body was read %d times more", name, err, reads-1)
		}
	}
}

// The test vectors meet the server, not only the function that signs.
// keyScopes is what a main pair may do: everything that keys can.
var keyScopes = []string{"events:read", "events:write", "metrics:read"}

func TestVerificationAgreesWithTheTestVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../../testvectors/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Secret, Timestamp, Method, Path, Signature, Body string
		BodyBase64                                             []byte `json:"body_base64"`
		Valid                                                  bool
	}
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) == 0 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	b := setup(t)
	project, pair := b.create(t, "Web shop")
	// Every vector's secret becomes the secret of the key: sealed as the program would.
	box, keyID, err := newRing(t, 1).Seal([]byte(vectors[0].Secret), []byte(pair.ID))
	if err != nil {
		t.Fatal(err)
	}
	b.exec(t, `UPDATE api_keys SET secret_box = $1, secret_key_id = $2 WHERE project_id = $3`, box, keyID, project.ID)
	for _, v := range vectors {
		if v.Secret != vectors[0].Secret {
			t.Fatalf("vector %q has a secret of its own", v.Name)
		}
		body := append([]byte(v.Body), v.BodyBase64...)
		_, err := b.keys.VerifySignature(t.Context(), pair.ID, v.Timestamp, v.Signature, v.Method, v.Path,
			func() ([]byte, error) { return body, nil })
		if v.Valid && err != nil || !v.Valid && !problem.Is(err, problem.CodeInvalidSignature) {
			t.Errorf("%s: error %v, want valid %v", v.Name, err, v.Valid)
		}
	}
}

func TestASecretUnderAKeyWeDoNotHaveIsNamedAndLetsNobodyIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, pair := b.create(t, "Web shop")
	b.keys = projects.NewKeys(b.pool, newRing(t, 2), b.clock.Now)
	_, err := b.verify(t, pair)
	if err == nil || !strings.Contains(err.Error(), pair.ID) || !strings.Contains(err.Error(), "NIMBUS_SECRET_KEY_PREVIOUS") {
		t.Errorf("error %v, want one that names the API key and the settings", err)
	}
	if p := (*problem.Error)(nil); errors.As(err, &p) {
		t.Errorf("the caller is told %q; it is the operator's to know", p.Detail)
	}
}

func TestABoxMovedToAnotherKeyLetsNobodyIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, mine := b.create(t, "Mine")
	_, theirs := b.create(t, "Theirs")
	b.exec(t, `UPDATE api_keys SET secret_box = (SELECT secret_box FROM api_keys WHERE id = $1) WHERE id = $2`, mine.ID, theirs.ID)
	if _, err := b.verify(t, projects.Pair{ID: theirs.ID, Secret: mine.Secret}); err == nil {
		t.Error("whoever can write to the database can use the key of another project")
	}
}

func FuzzVerifySignature(f *testing.F) {
	b := setup(f)
	_, pair := b.create(f, "Web shop")
	now := unix(b.clock.Now())
	f.Add(pair.ID, now, projects.Sign(pair.Secret, now, "POST", "/v1/events", nil), "POST", "/v1/events", []byte(nil))
	f.Add("nk_0000000000000000", "-1", "", "", "", []byte("x"))
	f.Add("nk_000000000000000\x00", now, strings.Repeat("0", 64), "\xff", "\x00", []byte{0xff})
	f.Fuzz(func(t *testing.T, keyID, timestamp, signature, method, path string, body []byte) {
		principal, err := b.keys.VerifySignature(t.Context(), keyID, timestamp, signature, method, path,
			func() ([]byte, error) { return body, nil })
		if err == nil {
			if principal.KeyID != pair.ID || signature != projects.Sign(pair.Secret, timestamp, method, path, body) {
				t.Errorf("accepted: %q %q %q %q %q %q", keyID, timestamp, signature, method, path, body)
			}
			return
		}
		// Whatever the headers hold, it is the caller's fault and not an error of the server.
		if p := (*problem.Error)(nil); principal != nil || !errors.As(err, &p) {
			t.Errorf("VerifySignature = %v, %v", principal, err)
		}
	})
}

func FuzzVerifyWholeKeys(f *testing.F) {
	b := setup(f)
	project, pair := b.create(f, "Web shop")
	key, err := b.projects.CreateWriteKey(f.Context(), project.ID, "", []string{"https://a.example"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key.Key, "https://a.example")
	f.Add(pair.Secret, "")
	f.Add("nw_\x00\xff", "\xff\x00")
	f.Fuzz(func(t *testing.T, text, origin string) {
		_, bySecret := b.keys.VerifySecret(t.Context(), text)
		_, byWriteKey := b.keys.VerifyWriteKey(t.Context(), text, origin)
		for _, err := range []error{bySecret, byWriteKey} {
			if p := (*problem.Error)(nil); err != nil && !errors.As(err, &p) {
				t.Errorf("%q from %q: %v", text, origin, err)
			}
		}
		if bySecret == nil && text != pair.Secret || byWriteKey == nil && text != key.Key {
			t.Errorf("%q is accepted as a key", text)
		}
	})
}

func TestAWriteKeyIsGoodForItsProjectAndOrigins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, pair := b.create(t, "Web shop")
	open, err := b.projects.CreateWriteKey(t.Context(), project.ID, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	bound, err := b.projects.CreateWriteKey(t.Context(), project.ID, "", []string{"https://Shop.example.com", "https://*.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		key, origin string
		id          uuid.UUID
		want        problem.Code
	}{
		{open.Key, "", open.ID, ""},
		{open.Key, "https://anything.example", open.ID, ""},
		{open.Key, "null", open.ID, ""},
		{bound.Key, "https://shop.example.com", bound.ID, ""},
		{bound.Key, "https://a.b.example.org", bound.ID, ""},
		{bound.Key, "https://example.org", uuid.Nil, problem.CodeOriginNotAllowed},
		{bound.Key, "", uuid.Nil, problem.CodeOriginNotAllowed},
		{bound.Key, "null", uuid.Nil, problem.CodeOriginNotAllowed},
		{bound.Key + "x", "https://shop.example.com", uuid.Nil, problem.CodeInvalidKey},
		{"nw_000000000000000000000000", "https://shop.example.com", uuid.Nil, problem.CodeInvalidKey},
		{pair.Secret, "", uuid.Nil, problem.CodeInvalidKey},
		{pair.ID, "", uuid.Nil, problem.CodeInvalidKey},
		{"", "", uuid.Nil, problem.CodeInvalidKey},
	} {
		got, err := b.keys.VerifyWriteKey(t.Context(), tc.key, tc.origin)
		if tc.want != "" {
			wantCode(t, err, tc.want, tc.key+" from "+tc.origin)
			continue
		}
		want := &auth.Principal{Kind: auth.KindWriteKey, ProjectID: project.ID, KeyID: tc.id.String(), Scopes: auth.WriteKeyScopes, DialectsOff: []string{}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s from %q = %+v, %v; want %+v", tc.key, tc.origin, got, err, want)
		}
	}
}

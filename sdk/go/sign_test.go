package nimbus_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	nimbus "github.com/bahagh/nimbus/sdk/go"
)

// The server, the TypeScript client and this one are held to the same file.
func TestSignAgreesWithTheSharedVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../testvectors/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name       string      `json:"name"`
		Secret     string      `json:"secret"`
		Timestamp  json.Number `json:"timestamp"` // quoted or not
		Method     string      `json:"method"`
		Path       string      `json:"path"`
		Body       string      `json:"body"`
		BodyBase64 *string     `json:"body_base64"`
		Signature  string      `json:"signature"`
		Valid      bool        `json:"valid"`
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	seen := map[bool]int{}
	for _, v := range vectors {
		seen[v.Valid]++
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			body := []byte(v.Body)
			if v.BodyBase64 != nil {
				var err error
				if body, err = base64.StdEncoding.DecodeString(*v.BodyBase64); err != nil {
					t.Fatal(err)
				}
			}
			timestamp, err := v.Timestamp.Int64()
			if err != nil {
				t.Fatal(err)
			}
			got := nimbus.Sign(v.Secret, timestamp, v.Method, v.Path, body)
			if (got == v.Signature) != v.Valid {
				t.Errorf("Sign = %s, on file %s, which is valid: %t", got, v.Signature, v.Valid)
			}
		})
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("the file has %d valid and %d invalid signatures; it needs both", seen[true], seen[false])
	}
}

// clock stands at 2026-01-15T10:30:00.9Z: signing rounds down to the second.
func clock() time.Time { return time.Unix(1768473000, 900_000_000) }

func TestSigningEditorSignsTheBytesTheServerReceives(t *testing.T) {
	t.Parallel()
	const secret = "ns_secret"
	bodies := map[string]func() io.Reader{
		"rewindable body": func() io.Reader { return strings.NewReader(`{"a":"ü"}`) },
		"stream":          func() io.Reader { return io.MultiReader(strings.NewReader(`{"a":`), strings.NewReader(`"ü"}`)) },
		"empty body":      func() io.Reader { return strings.NewReader("") },
		"no body":         func() io.Reader { return nil },
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				path, _, _ := strings.Cut(r.RequestURI, "?")
				if sig, want := r.Header.Get("X-Api-Signature"), nimbus.Sign(secret, 1768473000, r.Method, path, got); sig != want {
					t.Errorf("signature %s of %s %s %q, want %s", sig, r.Method, path, got, want)
				}
				if id, ts := r.Header.Get("X-Api-Key-Id"), r.Header.Get("X-Api-Timestamp"); id != "nk_1" || ts != "1768473000" {
					t.Errorf("key id %q, timestamp %q", id, ts)
				}
				// A redirect that keeps the method must find the body again; the query is not part of what is signed.
				if r.URL.Query().Get("again") == "" {
					http.Redirect(w, r, r.URL.EscapedPath()+"?again=1", http.StatusTemporaryRedirect)
				}
			}))
			defer server.Close()

			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/v1/a%2Fb%20c?x=1", body())
			if err != nil {
				t.Fatal(err)
			}
			if err := nimbus.SigningEditor("nk_1", secret, clock)(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status %d", resp.StatusCode)
			}
		})
	}
}

// Behind a proxy that serves Nimbus below a path, the server sees the path from /v1 on.
func TestWhatIsSignedBeginsAtV1(t *testing.T) {
	t.Parallel()
	for path, signed := range map[string]string{
		"/v1/events":              "/v1/events",
		"/analytics/v1/events":    "/v1/events",
		"/a%20b/v1/projects?q=1":  "/v1/projects",
		"/api/v1/nimbus/v1/auth/": "/v1/auth/",
		"/v1":                     "/v1",
		"/openapi.json":           "/openapi.json",
	} {
		req := httptest.NewRequest(http.MethodGet, "https://example.com"+path, nil)
		if err := nimbus.SigningEditor("nk_1", "s", clock)(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		if req.Header.Get("X-Api-Signature") != nimbus.Sign("s", clock().Unix(), "GET", signed, nil) {
			t.Errorf("of %s something else than %s is signed", path, signed)
		}
	}
}

func TestSigningEditorTakesAnEmptyMethodForGet(t *testing.T) {
	t.Parallel()
	req := httptest.NewRequest(http.MethodGet, "http://nimbus.example", nil)
	req.Method = ""
	if err := nimbus.SigningEditor("nk_1", "s", clock)(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if got, want := req.Header.Get("X-Api-Signature"), nimbus.Sign("s", 1768473000, "GET", "/", nil); got != want {
		t.Errorf("signature %s, want that of GET / %s", got, want)
	}
}

func TestARequestWhoseBodyCannotBeReadIsNotSigned(t *testing.T) {
	t.Parallel()
	boom := errors.New("disk on fire")
	req := httptest.NewRequest(http.MethodPost, "http://nimbus.invalid/v1/events", io.MultiReader(strings.NewReader("{"), failing{boom}))
	if err := nimbus.SigningEditor("nk_1", "s", nil)(t.Context(), req); !errors.Is(err, boom) || req.Header.Get("X-Api-Signature") != "" {
		t.Errorf("error %v, want %v", err, boom)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

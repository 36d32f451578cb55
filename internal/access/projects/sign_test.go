package projects

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"testing"
)

type vector struct {
	Name, Secret, Timestamp, Method, Target, Path, Signature, Why string
	Body                                                          *string
	BodyBase64                                                    *string `json:"body_base64"`
	Valid                                                         bool
}

func loadVectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile("../../../testvectors/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

func (v vector) body(t testing.TB) []byte {
	t.Helper()
	if (v.Body == nil) == (v.BodyBase64 == nil) {
		t.Fatal("a vector has exactly one of body and body_base64")
	}
	if v.Body != nil {
		return []byte(*v.Body)
	}
	body, err := base64.StdEncoding.DecodeString(*v.BodyBase64)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestSignAgreesWithTheTestVectors(t *testing.T) {
	t.Parallel()
	valid, names := 0, make(map[string]bool)
	for _, v := range loadVectors(t) {
		if names[v.Name] || v.Why == "" {
			t.Errorf("vector %q needs a name of its own and a reason", v.Name)
		}
		names[v.Name] = true
		if v.Valid {
			valid++
		}
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			got := Sign(v.Secret, v.Timestamp, v.Method, v.Path, v.body(t))
			if (got == v.Signature) != v.Valid {
				t.Errorf("Sign = %s, vector has %s with valid %v: %s", got, v.Signature, v.Valid, v.Why)
			}
			// What a server sees: the path as sent, whichever way it asks for it.
			target := v.Target
			if target == "" {
				target = v.Path
			}
			u, err := url.ParseRequestURI(target)
			if err != nil {
				t.Fatal(err)
			}
			if u.EscapedPath() != v.Path {
				t.Errorf("the path of %s is %s, the vector says %s", target, u.EscapedPath(), v.Path)
			}
		})
	}
	// An empty or thinned-out file must not pass for agreement.
	if valid < 12 || len(names)-valid < 12 {
		t.Errorf("%d vectors of which %d valid: at least 12 of each kind are needed", len(names), valid)
	}
}

package projects

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

func TestNormaliseOrigin(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://shop.example.com":        "https://shop.example.com",
		"https://Shop.EXAMPLE.com":        "https://shop.example.com",
		"https://shop.example.com:443":    "https://shop.example.com",
		"http://shop.example.com:80":      "http://shop.example.com",
		"http://shop.example.com:443":     "http://shop.example.com:443",
		"https://shop.example.com:08443":  "https://shop.example.com:8443",
		"http://localhost:3000":           "http://localhost:3000",
		"http://127.0.0.1:5173":           "http://127.0.0.1:5173",
		"http://[::1]:8080":               "http://[::1]:8080",
		"http://[0:0:0:0:0:0:0:1]:80":     "http://[::1]",
		"https://*.Example.com:443":       "https://*.example.com",
		"https://*.a.example.com:8443":    "https://*.a.example.com:8443",
		"http://*.localhost:3000":         "http://*.localhost:3000",
		"https://xn--bcher-kva.example":   "https://xn--bcher-kva.example",
		"https://1and1.example":           "https://1and1.example",
		"https://" + longName(253):        "https://" + longName(253),
		"https://a-b.example.com:65535":   "https://a-b.example.com:65535",
		"https://123.example.com":         "https://123.example.com",
		"https://[2001:DB8::1]":           "https://[2001:db8::1]",
		"https://*.deep.er.example.co.uk": "https://*.deep.er.example.co.uk",
		// Apps.
		"capacitor://localhost":  "capacitor://localhost",
		"ionic://localhost":      "ionic://localhost",
		"Tauri://localhost":      "tauri://localhost",
		"http://tauri.localhost": "http://tauri.localhost",
		"app://shop.example":     "app://shop.example",
		"chrome-extension://gighmmpiobklfepjocnamgkkbiglidom":    "chrome-extension://gighmmpiobklfepjocnamgkkbiglidom",
		"moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc":   "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
		"capacitor://localhost:443":                              "capacitor://localhost:443", // a scheme of its own implies no port
		"safari-web-extension://D5B3C0FF-0000-0000-0000-000000A": "safari-web-extension://d5b3c0ff-0000-0000-0000-000000a",
		// International names, as browsers send them.
		"https://bücher.example":           "https://xn--bcher-kva.example",
		"https://*.BÜCHER.example:8443":    "https://*.xn--bcher-kva.example:8443",
		"https://faß.example":              "https://xn--fa-hia.example",
		"https://例え.テスト":                   "https://xn--r8jz45g.xn--zckzah",
		"https://exam\u212Aple-ki.example": "https://examkple-ki.example",
	} {
		if got, fault := normaliseOrigin(in, true); got != want || fault != "" {
			t.Errorf("normaliseOrigin(%q) = %q, %q; want %q", in, got, fault, want)
		}
	}
}

// longName is a valid host of n characters.
func longName(n int) string {
	name := strings.Repeat(strings.Repeat("a", 63)+".", 4)[:n]
	return name
}

func TestOriginsThatNoBrowserSendsAreRefused(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "null", "*", "shop.example.com", "ftp://shop.example.com", "https://", "https://*", "https://*.",
		"https://shop.example.com/", "https://shop.example.com/x", "https://user@shop.example.com", "https://shop.example.com?x",
		"https://shop.*.example.com", "https://shop*.example.com", "https://*shop.example.com", "https://*.*.example.com",
		"https://**.example.com", "https://shop.example.*", "https://shop..example.com", "https://.example.com",
		"https://shop.example.com.", "https://-shop.example.com", "https://shop-.example.com", "https://sh_op.example.com",
		"https://shop.example.com:", "https://shop.example.com:0", "https://shop.example.com:65536", "https://shop.example.com:x",
		"https://shop.example.com:+1", "https://shop.example.com:1:2", "https://shop.example.com:99999999999999999999",
		"https://1.2.3", "https://1.2.3.4.5", "https://256.1.1.1", "https://1.2.3.04", "https://*.1.2.3.4", "https://a.5",
		"https://[::1", "https://::1", "https://[::1]x", "https://[1.2.3.4]", "https://[fe80::1%25eth0]", "https://*.[::1]", "https://[]",
		"https://shop.example.com\x00", "https://ü..example", "https://*ü.example", "https://ü\u2028.example",
		"file://localhost", "data://x", "javascript://x", "about://blank", "blob://x", "://localhost", "1app://localhost", "\u212Aapp://localhost",
		"capacitor://", "capacitor://localhost/", "capacitor:localhost", "https://shop.example.com ",
		"https://" + longName(253) + "a", "https://" + strings.Repeat("a", 64) + ".com", "http://https://a.com",
	} {
		if got, fault := normaliseOrigin(in, true); fault == "" {
			t.Errorf("normaliseOrigin(%q) = %q, want it refused", in, got)
		}
		if OriginAllowed([]string{"https://shop.example.com", "https://*.example.com"}, in) {
			t.Errorf("the origin %q is allowed", in)
		}
	}
}

func TestNormaliseOriginsNamesEveryBadEntryAtOnce(t *testing.T) {
	t.Parallel()
	_, err := normaliseOrigins([]string{
		"https://a.com", "https://a.*.com", "https://A.com:443", "https://b.com", "http://c.com:99999", "https://*.d.com", "https://*.D.com",
	})
	var e *problem.Error
	if !errors.As(err, &e) || e.Code != problem.CodeValidation {
		t.Fatalf("error %v, want validation_failed", err)
	}
	type fault struct{ pointer, code string }
	var got []fault
	for _, f := range e.Fields {
		if f.In != contract.InBody || f.Item != -1 || f.Detail == "" {
			t.Errorf("field %+v", f)
		}
		got = append(got, fault{f.Pointer, f.Code})
	}
	want := []fault{
		{"/allowed_origins/1", "format"}, {"/allowed_origins/2", "unique_items"},
		{"/allowed_origins/4", "format"}, {"/allowed_origins/6", "unique_items"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("fields %v, want %v", got, want)
	}
}

func TestNoOriginsIsAnEmptyListAndNotNull(t *testing.T) {
	t.Parallel()
	for _, in := range [][]string{nil, {}} {
		if got, err := normaliseOrigins(in); got == nil || len(got) != 0 || err != nil {
			t.Errorf("normaliseOrigins(%v) = %#v, %v", in, got, err)
		}
	}
}

func TestOriginAllowed(t *testing.T) {
	t.Parallel()
	wildcard := []string{"https://*.example.com"}
	for _, tc := range []struct {
		allowed []string
		origin  string
		want    bool
	}{
		{nil, "", true},
		{nil, "https://anything.example", true},
		{[]string{}, "null", true},
		{[]string{"https://a.com"}, "", false},
		{[]string{"https://a.com"}, "null", false},
		{[]string{"https://a.com"}, "https://a.com", true},
		{[]string{"https://a.com"}, "https://A.com:443", true},
		{[]string{"https://a.com"}, "http://a.com", false},
		{[]string{"https://a.com"}, "https://a.com:8443", false},
		{[]string{"https://a.com"}, "https://a.com.evil.com", false},
		{[]string{"https://a.com"}, "https://b.a.com", false},
		{[]string{"https://a.com", "https://b.com"}, "https://b.com", true},
		{wildcard, "https://a.example.com", true},
		{wildcard, "https://c.b.a.example.com", true},
		{wildcard, "https://example.com", false},
		{wildcard, "https://.example.com", false},
		{wildcard, "https://*.example.com", false},
		{wildcard, "https://evilexample.com", false},
		{wildcard, "https://a.example.com.evil.com", false},
		{wildcard, "https://evil.com/.example.com", false},
		{wildcard, "https://evil.com?.example.com", false},
		{wildcard, "https://evil.com#.example.com", false},
		{wildcard, "https://evil.com:1@a.example.com", false},
		{wildcard, "http://a.example.com", false},
		{wildcard, "https://a.example.com:8443", false},
		{[]string{"https://*.example.com:8443"}, "https://a.example.com:8443", true},
		{[]string{"https://*.example.com:8443"}, "https://a.example.com:18443", false},
		{[]string{"https://*.example.com:8443"}, "https://a.example.com", false},
	} {
		if got := OriginAllowed(tc.allowed, tc.origin); got != tc.want {
			t.Errorf("OriginAllowed(%q, %q) = %v, want %v", tc.allowed, tc.origin, got, tc.want)
		}
	}
}

func FuzzOrigin(f *testing.F) {
	f.Add("https://*.example.com", "https://a.example.com")
	f.Add("https://*.example.com:443", "https://example.com")
	f.Add("http://[::ffff:1.2.3.4]:80", "null")
	f.Add("https://1.2.3.4", "https://evil.com/.example.com")
	f.Fuzz(func(t *testing.T, entry, origin string) {
		normal, fault := normaliseOrigin(entry, true)
		if fault != "" {
			return
		}
		if again, fault := normaliseOrigin(normal, true); again != normal || fault != "" {
			t.Fatalf("%q becomes %q, and that %q (%s)", entry, normal, again, fault)
		}
		wildcard := strings.Contains(normal, "*")
		if !wildcard && !OriginAllowed([]string{normal}, entry) {
			t.Errorf("an origin does not match itself: %q", entry)
		}
		base := strings.Replace(normal, "*.", "", 1)
		if wildcard && OriginAllowed([]string{normal}, base) {
			t.Errorf("%q allows its apex", normal)
		}
		if !OriginAllowed([]string{normal}, origin) {
			return
		}
		// What was allowed is, in normal form, the entry itself or labels in front of its base.
		got, fault := normaliseOrigin(origin, false)
		scheme, host, _ := strings.Cut(base, "://")
		if fault != "" || got != normal && (!wildcard || !strings.HasPrefix(got, scheme+"://") || !strings.HasSuffix(got, "."+host)) {
			t.Errorf("%q allows %q", normal, origin)
		}
	})
}

package contract

import (
	"strings"
	"testing"
	"time"
)

// Every time that parseTime accepts, time.Parse reads as the same instant, for every day of four centuries.
func TestParseTimeAgreesWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	for day := time.Date(1899, 12, 28, 23, 59, 58, 0, time.UTC); day.Year() < 2301; day = day.AddDate(0, 0, 1) {
		s := day.Format(time.RFC3339)
		if got, ok := parseTime(s); !ok || !got.Equal(day) {
			t.Fatalf("%s: got %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{
		"0000-01-01T00:00:00Z", "0000-02-29T12:00:00Z", "9999-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.5-00:01",
		"2026-01-01T00:00:00.1234567891+14:00", "2000-02-29T00:00:00-12:00",
	} {
		want, err := time.Parse(time.RFC3339, s)
		if got, ok := parseTime(s); err != nil || !ok || !got.Equal(want) {
			t.Errorf("%s: got %v, %v, want %v", s, got, ok, want)
		}
	}
}

func TestParseTimeReadsWhatRFC3339AllowsAndGoDoesNot(t *testing.T) {
	t.Parallel()
	for s, same := range map[string]string{
		"2026-01-01t00:00:00z": "2026-01-01T00:00:00Z", "2026-01-01t00:00:00.5+01:00": "2026-01-01T00:00:00.5+01:00",
		"2016-12-31T23:59:60Z": "2017-01-01T00:00:00Z", "2017-01-01T05:29:60.25+05:30": "2017-01-01T00:00:00.25Z",
	} {
		want, err := time.Parse(time.RFC3339, same)
		if got, ok := parseTime(s); err != nil || !ok || !got.Equal(want) {
			t.Errorf("%s: got %v, %v, want %v", s, got, ok, want)
		}
	}
}

func TestParseTimeRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-01-01T0:00:00Z",
		"2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00.Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
		"2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-06-30T23:58:60Z", "2026-06-30T23:59:61Z", "2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00Z ", "-026-01-01T00:00:00Z",
		"0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60Z",
	} {
		if got, ok := parseTime(s); ok {
			t.Errorf("%q read as %v", s, got)
		}
	}
}

func TestQuoteAndClip(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a":                     `"a"`,
		"a\n\u202e\x1b":         `"a???"`,
		strings.Repeat("é", 99): `"` + strings.Repeat("é", 38) + `…"`,
	} {
		if got := quote(in); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := clip("aéé", 5); got != "aéé" {
		t.Errorf("got %q", got)
	}
	if got := clip("aééé", 5); got != "a…" {
		t.Errorf("got %q", got)
	}
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	errs := Errors{}
	for range 7 {
		errs = append(errs, FieldError{In: InBody, Pointer: "/a", Detail: "is required"})
	}
	if got := errs.Error(); !strings.HasPrefix(got, `body "/a" is required; `) || !strings.HasSuffix(got, "and 2 more") {
		t.Errorf("got %s", got)
	}
	if got := (&SyntaxError{Offset: 3, Detail: "invalid number"}).Error(); got != "invalid number at byte 3" {
		t.Errorf("got %s", got)
	}
}

package compat

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/events/ingest"
)

func TestTimesOfAllSDKsAreRead(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 1, 15, 10, 30, 0, 123_000_000, time.UTC)
	for _, text := range []string{`"2026-01-15T10:30:00.123Z"`, `"2026-01-15T10:30:00.123000+00:00"`, `"2026-01-15T11:30:00.123+01:00"`, `"2026-01-15T10:30:00.123"`,
		`"2026-01-15 10:30:00.123"`, `"2026-01-15T10:30:00.123+0000"`, `1768473000.123`, `1768473000123`, `"1768473000.123"`, `"1768473000123"`} {
		if got, ok := Time([]byte(text)); !ok || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{`"yesterday"`, `{}`, `true`, `1e300`, `"NaN"`} {
		if got, ok := Time([]byte(text)); ok {
			t.Errorf("%s: %v", text, got)
		}
	}
	for _, text := range []string{"", "null", `""`} {
		if got, ok := Time([]byte(text)); !ok || !got.IsZero() {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
}

func TestOnlyALargeDifferenceOfTheFirstAttemptMovesATime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		behind       time.Duration
		again        bool
		moved, alone bool
	}{{0, false, false, false}, {59 * time.Second, false, false, false}, {-2 * time.Minute, false, false, true}, {4 * time.Minute, false, false, true},
		{5 * time.Minute, false, true, true}, {-time.Hour, false, true, true}, {time.Hour, true, false, true}, {0, true, false, true}} {
		e := ingest.Incoming{TS: now.Add(-time.Second)}
		ClockOf(now, now.Add(-c.behind), c.again).Correct(&e)
		want := now.Add(-time.Second)
		if c.moved {
			want = want.Add(c.behind)
		}
		if !e.TS.Equal(want) || e.KeyAlone != c.alone || e.SentTS.IsZero() == c.moved {
			t.Errorf("%+v: %+v", c, e)
		}
	}
}

func TestJSONIsReadWhereItStands(t *testing.T) {
	t.Parallel()
	object := []byte(` { "a" : [1, {"b":"]}\\\""}, null ] , "e\u0301" : "x\ny", "n":-1.5e3,"o":{"p":{}},"t":true}`)
	got := map[string]string{}
	for name, v := range Members(object) {
		got[string(name)] = string(v)
	}
	want := map[string]string{"a": `[1, {"b":"]}\\\""}, null ]`, "e\u0301": `"x\ny"`, "n": "-1.5e3", "o": `{"p":{}}`, "t": "true"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var elements []string
	for v := range Elements([]byte(got["a"])) {
		elements = append(elements, string(v))
	}
	if len(elements) != 3 || elements[2] != "null" || Text(Member([]byte(elements[1]), "b")) != `]}\"` {
		t.Errorf("%q", elements)
	}
	text, ok := Decodable([]byte("{\"s\":\"\xed\xa0\xbd\xed\xb0\x8e \xff\"}"))
	if !ok || Text(Member(text, "s")) != "\U0001F40E \uFFFD" {
		t.Errorf("CESU-8: %q", text)
	}
}

func TestFormsAreReadByTheirContent(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"data=" + url.QueryEscape(`{"s":"a+b & c"}`): `{"s":"a+b & c"}`, `data={"s":"a+b & c"}`: `{"s":"a+b & c"}`,
		"data=eyJzIjoiPz8+In0=": `{"s":"??>"}`, "data=eyJzIjoiPz8%2BIn0%3D&verbose=1": `{"s":"??>"}`,
	} {
		if got := string(Data([]byte(Form([]byte(body), "data").Get("data")))); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	if Form([]byte(`{"data":1}`), "data") != nil {
		t.Error("JSON is no form")
	}
}

func TestAnAliasIsLinkedByTheIdThatADeviceMade(t *testing.T) {
	t.Parallel()
	const device = "0190a1b2-0000-7000-8000-0000000000aa"
	for _, c := range []struct{ a, b, want string }{
		{"u", device, "[u<" + device + "]"}, {device, "u", "[u<" + device + "]"}, {"anon-1", "u", "[u<anon-1]"}, {"a", "b", "[a<b b<a]"},
	} {
		var got []string
		for _, op := range Alias(c.a, c.b, &ingest.Incoming{}) {
			got = append(got, op.UserID+"<"+op.AnonymousID)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s, %s: %v, want %s", c.a, c.b, got, c.want)
		}
	}
}

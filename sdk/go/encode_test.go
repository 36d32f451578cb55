package nimbus_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/nimbustest"
)

// What the tracker refuses the server refuses too, for the same reason; what it can know it refuses at once.
func TestTheTrackerRefusesWhatTheSharedVectorsSay(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../testvectors/verdicts.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name     string
		Local    bool
		Events   []json.RawMessage
		Verdicts [][]struct{ Pointer, Code string }
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	x, _ := nimbustest.Tracker(t)
	local := 0
	for _, v := range vectors {
		for k, raw := range v.Events {
			var e nimbus.Event
			if json.Unmarshal(raw, &e) != nil {
				continue // nothing that Go's types let one say
			}
			err := x.Enqueue(t.Context(), e)
			var refused *nimbus.RejectedError
			if !errors.As(err, &refused) {
				if err != nil || v.Local {
					t.Errorf("%s, event %d: error %v", v.Name, k, err)
				}
				continue
			}
			local++
			var got, want []string
			for _, f := range refused.Fields {
				pointer := f.Pointer
				if strings.HasPrefix(pointer, "/props") {
					pointer = "/props" // where in them is for the server to say
				}
				got = append(got, pointer+" "+f.Code)
			}
			for _, f := range v.Verdicts[k] {
				pointer := f.Pointer
				if strings.HasPrefix(pointer, "/props") {
					pointer = "/props"
				}
				want = append(want, pointer+" "+f.Code)
			}
			if v.Name == "no name" {
				want = []string{"/name length"} // Go knows no absent string
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, event %d: %q, want %q", v.Name, k, got, want)
			}
		}
	}
	if local == 0 {
		t.Error("nothing was refused")
	}
}

// Props are written by hand where they are simple; they must read as what encoding/json writes.
func FuzzPropsReadAsEncodingJSONWritesThem(f *testing.F) {
	f.Add("plain", 1.5, int64(3), true)
	f.Add("quote \" back \\ slash \u2028 <&> \x01 \xff \u00e9\U0001F389", 1e300, int64(math.MinInt64), false)
	f.Add("", math.Copysign(0, -1), int64(0), false)
	f.Fuzz(func(t *testing.T, text string, number float64, integer int64, truth bool) {
		if math.IsNaN(number) || math.IsInf(number, 0) || strings.Contains(text, "\x00") {
			t.Skip("refused, as the vectors and TestPropsOfEveryKind say")
		}
		at := time.Unix(integer%1e9, integer%1e9).UTC().Truncate(time.Microsecond)
		props := map[string]any{"k" + text: text, "number": number, "integer": integer, "int": int(integer), "truth": truth, "at": at,
			"none": nil, "deep": map[string]any{"list": []any{text, number}}}
		x, sent := nimbustest.Tracker(t)
		if err := x.Track(t.Context(), "e", props); err != nil {
			if len(text) < 1000 {
				t.Fatal(err)
			}
			return
		}
		standard, err := json.Marshal(props)
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := errors.Join(json.Unmarshal(sent.Events(t)[0].Props, &got), json.Unmarshal(standard, &want)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("props read as %v, want %v", got, want)
		}
	})
}

func TestPropsOfEveryKind(t *testing.T) {
	t.Parallel()
	type order struct {
		Total float64  `json:"total"`
		Items []string `json:"items,omitempty"`
	}
	cycle := map[string]any{}
	cycle["self"] = cycle
	for name, c := range map[string]struct {
		props any
		want  string // "" when they are refused
	}{
		"struct":         {order{Total: 9.5, Items: []string{"mug"}}, `{"total":9.5,"items":["mug"]}`},
		"pointer":        {&order{Total: 1}, `{"total":1}`},
		"raw":            {json.RawMessage(`{ "a" : 1 }`), `{"a":1}`},
		"strings":        {map[string]string{"a": "b"}, `{"a":"b"}`},
		"nil map":        {map[string]any(nil), "<none>"},
		"nil pointer":    {(*order)(nil), "<none>"},
		"nil":            {nil, "<none>"},
		"time":           {map[string]any{"at": time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 7200))}, `{"at":"2026-01-02T01:04:05Z"}`},
		"raw, broken":    {json.RawMessage(`{"a":`), ""},
		"not an object":  {[]int{1}, ""},
		"NaN":            {map[string]any{"n": math.NaN()}, ""},
		"a function":     {map[string]any{"f": func() {}}, ""},
		"cycle":          {cycle, ""},
		"U+0000 in name": {map[string]any{"a\x00": 1}, ""},
		"escaped U+0000": {json.RawMessage(`{"a":"\\\u0000"}`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, sent := nimbustest.Tracker(t)
			err := x.Track(t.Context(), "e", c.props)
			var refused *nimbus.RejectedError
			if c.want == "" {
				if !errors.As(err, &refused) || refused.Fields[0].Pointer != "/props" || len(sent.Events(t)) != 0 {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := string(sent.Events(t)[0].Props)
			if got == "" {
				got = "<none>"
			}
			if got != c.want {
				t.Errorf("props %s, want %s", got, c.want)
			}
		})
	}
}

func TestEveryMistakeOfAConfigurationIsNamed(t *testing.T) {
	t.Parallel()
	_, err := nimbus.New(nimbus.Config{URL: "nimbus.example.com", ProjectID: "p", FlushEvents: 10_001, FlushBytes: 1, QueueEvents: -1, QueueBytes: 1,
		MinBackoff: time.Hour, MaxAttempts: -1, WhenFull: 3})
	for _, field := range []string{"URL", "ProjectID", "credentials", "FlushEvents", "FlushBytes", "QueueEvents", "QueueBytes", "MaxBackoff", "MaxAttempts", "WhenFull"} {
		if !strings.Contains(fmt.Sprint(err), field) {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
	if _, err := nimbus.New(nimbus.Config{URL: "http://h", ProjectID: project.String(), Secret: "s", WriteKey: "w"}); err == nil {
		t.Error("two kinds of credentials were taken")
	}
}

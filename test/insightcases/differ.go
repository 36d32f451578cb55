package insightcases

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
)

// Differ says where an answer is not the one that is expected, or nothing. Numbers may differ by a microsecond, which is
// what the seconds of the cases are rounded to.
func Differ(got, want []byte) string {
	var a, b any
	must(json.Unmarshal(got, &a))
	must(json.Unmarshal(want, &b))
	return differ("", a, b)
}

func differ(path string, got, want any) string {
	switch want := want.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			return differObjects(path, got, want)
		}
	case []any:
		if got, ok := got.([]any); ok && len(got) == len(want) {
			for i := range want {
				if diff := differ(fmt.Sprintf("%s/%d", path, i), got[i], want[i]); diff != "" {
					return diff
				}
			}
			return ""
		}
	case float64:
		const microsecond = 1e-6
		if got, ok := got.(float64); ok && math.Abs(got-want) <= microsecond {
			return ""
		}
	}
	if reflect.DeepEqual(got, want) {
		return ""
	}
	return fmt.Sprintf("%s is %v, want %v", path, got, want)
}

func differObjects(path string, got, want map[string]any) string {
	for name := range got {
		if _, ok := want[name]; !ok {
			return fmt.Sprintf("%s/%s is not expected", path, name)
		}
	}
	for name := range want {
		if diff := differ(path+"/"+name, got[name], want[name]); diff != "" {
			return diff
		}
	}
	return ""
}

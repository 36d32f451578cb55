package insightcases

import (
	"bytes"
	"encoding/json"
)

// unmarshal keeps numbers as they are written.
func unmarshal(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}

// must panics: a case that cannot be read is a fault of this package.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

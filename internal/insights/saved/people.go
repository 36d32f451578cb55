package saved

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/bahagh/nimbus/internal/behaviour"
)

// maxID is how many characters an id has at most: as many as that of an event.
const maxID = 200

// readPeople reads the text of a CSV file, whose first line names the columns: user_id, anonymous_id or both. Others are left
// aside, and so are a byte order mark and lines without an id. The error says what is wrong, and in which line.
func readPeople(text string) ([]behaviour.PersonKey, error) {
	in := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("must begin with a line that names the columns: %w", err)
	}
	kinds := make([]behaviour.PersonKind, len(header))
	named := false
	for i, column := range header {
		kinds[i] = map[string]behaviour.PersonKind{"user_id": behaviour.User, "anonymous_id": behaviour.Anonymous}[strings.TrimSpace(column)]
		named = named || kinds[i] != 0
	}
	if !named {
		return nil, errors.New("must name the column user_id, anonymous_id or both in its first line")
	}
	var out []behaviour.PersonKey
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("is no CSV: %w", err)
		}
		for i, id := range record {
			if kinds[i] == 0 || id == "" {
				continue
			}
			if line, _ := in.FieldPos(i); utf8.RuneCountInString(id) > maxID {
				return nil, fmt.Errorf("has an id of more than %d characters in line %d", maxID, line)
			} else if strings.ContainsRune(id, 0) {
				return nil, fmt.Errorf("has a NUL character in line %d", line)
			}
			out = append(out, behaviour.PersonKey{Kind: kinds[i], Key: strings.Clone(id)})
		}
	}
}

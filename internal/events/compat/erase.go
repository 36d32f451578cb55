package compat

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// idMembers are the members of the dialects that say who did an event.
var idMembers = []string{"userId", "user_id", "anonymousId", "anonymous_id", "previousId", "distinct_id", "$distinct_id", "$distinct_ids",
	"$anon_distinct_id", "$anon_id", "$user_id", "$device_id", "$identified_id", "alias"}

// erasePage is how many items are looked at at once: each has at most 64 KiB.
const erasePage = 200

// Erase removes the items of a project that name one of some ids, and says how many.
func (q *Quarantine) Erase(ctx context.Context, project uuid.UUID, ids []string) (removed int64, err error) {
	var after *uuid.UUID
	for {
		page, err := q.list(ctx, project, after, erasePage)
		if err != nil || len(page) == 0 {
			return removed, err
		}
		var his []uuid.UUID
		for i := range page {
			if names(page[i].Body, ids) {
				his = append(his, page[i].ID)
			}
		}
		if len(his) > 0 {
			if _, err := q.remove(ctx, project, his...); err != nil {
				return removed, err
			}
			removed += int64(len(his))
		}
		after = &page[len(page)-1].ID
	}
}

// names says whether an item names one of some ids. One that is no JSON, or was cut where it was too long, does where it has the id as
// a text anywhere.
func names(body string, ids []string) bool {
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.UseNumber()
	var item any
	if decoder.Decode(&item) == nil {
		return hasID(item, false, ids)
	}
	return slices.ContainsFunc(ids, func(id string) bool {
		return strings.Contains(body, string(Quote(nil, id))) || strings.Contains(body, strconv.Quote(id))
	})
}

// hasID looks for one of some ids in a value; isID says that the value itself is an id, or a list of them.
func hasID(value any, isID bool, ids []string) bool {
	switch v := value.(type) {
	case string:
		return isID && slices.Contains(ids, v)
	case json.Number:
		return isID && slices.Contains(ids, v.String())
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return hasID(e, isID, ids) })
	case map[string]any:
		for name, member := range v {
			if hasID(member, slices.Contains(idMembers, name), ids) {
				return true
			}
		}
	}
	return false
}

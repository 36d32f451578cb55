package query

import (
	"fmt"
	"strings"
)

// Codes of faults, beside those of the contract.
const (
	CodeConflict = "conflict"
	CodeOrder    = "order"
)

// Fault is what is wrong with one part of a question.
type Fault struct {
	At     []any  // the way to the part, from the question down: names of fields, and indexes of lists
	Code   string // stable
	Detail string // continues a sentence whose subject is the part, and says what to do
}

// Invalid is why a question cannot be asked: everything that is wrong with it. Whoever answers the caller says where its
// parts stand in the request.
type Invalid []Fault

// Error lists the faults.
func (v Invalid) Error() string {
	parts := make([]string, len(v))
	for i, f := range v {
		parts[i] = fmt.Sprint(f.At...) + " " + f.Detail
	}
	return strings.Join(parts, "; ")
}

// fault is one of a field of the question itself.
func fault(field, code, detail string) Fault {
	return Fault{At: []any{field}, Code: code, Detail: detail}
}

package events

import (
	"errors"
	"strconv"
	"strings"
)

// Path is the way to a value in the props of an event: cart.total, items[0].sku, or items[].sku for that of every item.
//
// Members are separated by dots, elements of a list stand in brackets. A dot, a bracket or a backslash that is part of a
// name has a backslash before it: http\.status is the one member "http.status". Before any other character a backslash
// is a backslash. A path never begins with an element: props are an object.
type Path []Step

// Step goes from a value to one inside it, or with Each to all of them.
type Step struct {
	Member string // of an object; "" for a step into a list
	Index  int    // of an element, when Member is "" and Each is not set
	Each   bool   // every element
}

var (
	errPathMember = errors.New("a name is missing: before, between and behind dots there must be one")
	errPathIndex  = errors.New("brackets hold the number of an element, up to 9999, or nothing for every element")
	errPathEscape = errors.New("it ends with a backslash: write two for one that is part of the name")
)

// maxIndex is the highest number of an element that can be asked for; more than 16,000 do not fit into props.
const maxIndex = 9999

// special are the characters that mean something in a path.
const special = `.[\`

// ParsePath reads a path. Whatever it refuses, the pattern of the contract refuses too.
func ParsePath(text string) (Path, error) {
	var p Path
	for rest := text; ; {
		name, tail, err := member(rest)
		if err != nil {
			return nil, err
		}
		p = append(p, Step{Member: name})
		for strings.HasPrefix(tail, "[") {
			var step Step
			if step, tail, err = element(tail); err != nil {
				return nil, err
			}
			p = append(p, step)
		}
		if tail == "" {
			return p, nil
		}
		if tail[0] != '.' {
			return nil, errPathMember // something follows a bracket
		}
		rest = tail[1:]
	}
}

// member reads a name up to the dot or bracket that ends it.
func member(text string) (name, rest string, err error) {
	var b strings.Builder
	i := 0
	for ; i < len(text) && text[i] != '.' && text[i] != '['; i++ {
		if text[i] == '\\' {
			if i+1 == len(text) {
				return "", "", errPathEscape
			}
			if strings.IndexByte(special, text[i+1]) >= 0 {
				i++
			}
		}
		b.WriteByte(text[i])
	}
	if b.Len() == 0 {
		return "", "", errPathMember
	}
	return b.String(), text[i:], nil
}

// element reads what stands in brackets.
func element(text string) (step Step, rest string, err error) {
	inside, rest, closed := strings.Cut(text[1:], "]")
	if !closed {
		return step, "", errPathIndex
	}
	if inside == "" {
		return Step{Each: true}, rest, nil
	}
	n, err := strconv.ParseUint(inside, 10, 16)
	if err != nil || n > maxIndex || len(inside) > 4 {
		return step, "", errPathIndex
	}
	return Step{Index: int(n)}, rest, nil
}

// String writes the path as ParsePath reads it.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.Each:
			b.WriteString("[]")
		case s.Member == "":
			b.WriteString("[" + strconv.Itoa(s.Index) + "]")
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(EscapeMember(s.Member))
		}
	}
	return b.String()
}

// EscapeMember writes the name of a member so that it is one step of a path, whatever is in it.
func EscapeMember(name string) string {
	if !strings.ContainsAny(name, special) {
		return name
	}
	var b strings.Builder
	for i := range len(name) {
		if strings.IndexByte(special, name[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// Many says whether one event can have several values there.
func (p Path) Many() bool {
	for _, s := range p {
		if s.Each {
			return true
		}
	}
	return false
}

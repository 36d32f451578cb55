package contract

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kinds of a Param.
const (
	KindString   = "string"
	KindInteger  = "integer"
	KindNumber   = "number"
	KindBoolean  = "boolean"
	KindUUID     = "uuid"
	KindDateTime = "date-time"
	KindDate     = "date"
	KindEnum     = "enum"
)

// Param is one declared parameter. Zero values ask nothing. With Repeat, the rules hold for each value.
type Param struct {
	Name      string
	In        string // "path", "query" or "header"
	Required  bool
	Kind      string // one of the Kind constants
	Repeat    bool   // may be given several times: ?name=a&name=b
	Min, Max  *float64
	MinLen    int // characters
	MaxLen    int
	MinItems  int
	MaxItems  int
	Enum      []string
	Pattern   *regexp.Regexp
	MustBe    string // what the pattern means, for people
	NoControl bool
	JSON      bool // the value is the text of a JSON object, kept to the limits below
	MaxBytes  int
	MaxDepth  int
}

// Bound is shorthand for the optional bounds of a Param.
func Bound(v float64) *float64 { return &v }

// check appends the errors of the values given for p.
func (p *Param) check(errs Errors, values []string) Errors {
	report := func(code, detail string) {
		errs = append(errs, FieldError{In: p.In, Pointer: Pointer(p.Name), Code: code, Detail: detail, Item: -1})
	}
	switch {
	case len(values) == 0 || p.In == InPath && values[0] == "":
		if p.Required {
			report(CodeRequired, "is required")
		}
		return errs
	case !p.Repeat && len(values) > 1:
		report(CodeRepeatedParam, "must be given once")
		return errs
	case p.Repeat && p.MaxItems > 0 && len(values) > p.MaxItems:
		report(CodeMaxItems, "must be given at most "+plural(p.MaxItems, "time"))
		return errs
	case p.Repeat && len(values) < p.MinItems:
		report(CodeMinItems, "must be given at least "+plural(p.MinItems, "time"))
		return errs
	}
	for _, v := range values {
		if code, detail := p.checkValue(v); code != "" {
			report(code, detail)
			return errs // one error names the parameter; its other values likely have the same one
		}
		if p.JSON {
			errs = p.checkJSON(errs, v)
		}
	}
	return errs
}

func (p *Param) checkValue(v string) (code, detail string) {
	switch p.Kind {
	case KindInteger:
		n, simple := number([]byte(v))
		if n == 0 || n != len(v) || !simple {
			return CodeType, "must be an integer"
		}
		i, ok := integer(v)
		if !ok {
			return CodeNumberRange, "must be an integer of at most 64 bits"
		}
		return p.bounds(float64(i))
	case KindNumber:
		if n, _ := number([]byte(v)); n == 0 || n != len(v) {
			return CodeType, "must be a number"
		}
		f, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsInf(f, 0) || !storable(v) {
			return CodeNumberRange, rangeDetail
		}
		return p.bounds(f)
	case KindBoolean:
		if v != "true" && v != "false" {
			return CodeType, "must be true or false"
		}
	case KindUUID:
		if _, ok := parseUUID(v); !ok {
			return CodeFormat, uuidDetail
		}
	case KindDateTime:
		if _, ok := parseTime(v); !ok {
			if strings.Contains(v, " ") {
				return CodeFormat, timeDetail + " (write + as %2B in a URL)"
			}
			return CodeFormat, timeDetail
		}
	case KindDate:
		if _, ok := parseDay(v); !ok {
			return CodeFormat, dateDetail
		}
	default:
		return p.checkText(v)
	}
	return "", ""
}

func (p *Param) bounds(v float64) (code, detail string) {
	if p.Min != nil && v < *p.Min {
		return CodeMinimum, "must be at least " + formatFloat(*p.Min)
	}
	if p.Max != nil && v > *p.Max {
		return CodeMaximum, "must be at most " + formatFloat(*p.Max)
	}
	return "", ""
}

func (p *Param) checkText(v string) (code, detail string) {
	if !utf8.ValidString(v) {
		return CodeInvalidUnicode, "must be valid UTF-8"
	}
	flags := textWide // parameters are short: always count characters
	if strings.IndexByte(v, 0) >= 0 {
		flags |= textNUL
	}
	rule := StringRule{Min: p.MinLen, Max: p.MaxLen, Pattern: p.Pattern, MustBe: p.MustBe, Enum: p.Enum, NoControl: p.NoControl}
	return rule.check(v, flags)
}

// checkJSON checks the value by the rules of a raw JSON member; pointers continue behind the parameter's name.
func (p *Param) checkJSON(errs Errors, v string) Errors {
	r := newReader([]byte(v), p.In, Pointer(p.Name))
	r.Raw(&RawRule{MaxBytes: p.MaxBytes, MaxDepth: p.MaxDepth})
	err := r.Finish()
	var syntax *SyntaxError
	var fields Errors
	switch {
	case errors.As(err, &syntax):
		return append(errs, FieldError{In: p.In, Pointer: Pointer(p.Name), Code: CodeFormat, Item: -1,
			Detail: "must be the text of a JSON object: " + syntax.Error()})
	case errors.As(err, &fields):
		return append(errs, fields...)
	}
	return errs
}

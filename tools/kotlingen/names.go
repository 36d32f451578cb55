package main

import (
	"slices"
	"strings"
	"unicode"
)

// keywords cannot be the name of a member.
var keywords = []string{"as", "break", "class", "continue", "do", "else", "false", "for", "fun", "if", "in", "interface", "is", "null", "object",
	"package", "return", "super", "this", "throw", "true", "try", "typealias", "typeof", "val", "var", "when", "while"}

// camel is a name in lower camel case; a keyword gets an underscore.
func camel(name string) string {
	var b strings.Builder
	upper := false
	for k, r := range name {
		switch {
		case r == '_' || r == '-' || r == '.':
			upper = true
		case upper:
			b.WriteRune(unicode.ToUpper(r))
			upper = false
		case k == 0:
			b.WriteRune(unicode.ToLower(r))
		case strings.Contains(name, "-"): // a header
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
		}
	}
	if s := b.String(); !slices.Contains(keywords, s) {
		return s
	}
	return b.String() + "_"
}

// pascal is a name in upper camel case.
func pascal(name string) string {
	s := strings.TrimSuffix(camel(name), "_")
	return strings.ToUpper(s[:1]) + s[1:]
}

// units are those of a value that begins with a digit, such as 15m.
var units = map[string]string{"m": "MINUTE", "h": "HOUR", "d": "DAY", "w": "WEEK", "mo": "MONTH"}

// constant is the name of an enum's value: of 15m it is MINUTE_15. It is empty for one that it has no name for.
func constant(value string) string {
	if n := strings.IndexFunc(value, func(r rune) bool { return !unicode.IsDigit(r) }); n > 0 {
		if unit := units[value[n:]]; unit != "" {
			return unit + "_" + value[:n]
		}
		return ""
	}
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_", " ", "_", "/", "_", ":", "_", "$", "").Replace(value))
}

// doc is a comment of a description, with lines of at most 120 columns.
func doc(indent, text string) string {
	text = strings.TrimSpace(strings.NewReplacer("/*", "/&#42;", "*/", "&#42;/").Replace(text))
	if text == "" {
		return ""
	}
	if one := indent + "/** " + text + " */\n"; len(one) <= columns && !strings.Contains(text, "\n\n") {
		return strings.ReplaceAll(one, "\n", " ")[:len(one)-1] + "\n"
	}
	var b strings.Builder
	b.WriteString(indent + "/**\n")
	for k, paragraph := range strings.Split(text, "\n\n") {
		if k > 0 {
			b.WriteString(indent + " *\n")
		}
		line := indent + " *"
		for _, word := range strings.Fields(paragraph) {
			if len(line)+1+len(word) > columns && line != indent+" *" {
				b.WriteString(line + "\n")
				line = indent + " *"
			}
			line += " " + word
		}
		b.WriteString(line + "\n")
	}
	return b.String() + indent + " */\n"
}

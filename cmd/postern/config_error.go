package main

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

var (
	unknownKey  = regexp.MustCompile(`unknown field "([^"]*)"`)
	badDuration = regexp.MustCompile(`(?:invalid|in) duration "([^"]*)"`)
)

// explainYAML turns the library's several lines with a picture into one line that
// names the place, the key and the mend.
func explainYAML(file string, text []byte, err error) error {
	if m := badDuration.FindStringSubmatch(err.Error()); m != nil {
		line := 1
		if at := regexp.MustCompile(`:\s*["']?` + regexp.QuoteMeta(m[1])).FindIndex(text); at != nil {
			line += bytes.Count(text[:at[1]], []byte("\n"))
		}
		return fmt.Errorf("%s:%d: %q is no length of time: write one such as 90s, 5m or 120h", file, line, m[1])
	}
	var located interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &located) || located.GetToken() == nil {
		return fmt.Errorf("%s: %s", file, strings.Join(strings.Fields(err.Error()), " "))
	}
	place := fmt.Sprintf("%s:%d", file, located.GetToken().Position.Line)
	if m := unknownKey.FindStringSubmatch(located.GetMessage()); m != nil {
		return fmt.Errorf("%s: unknown key %q: correct its spelling or its place, or remove it; doc/configuration.md lists every key", place, m[1])
	}
	if msg := located.GetMessage(); strings.HasSuffix(msg, "]") && strings.Contains(msg, "already defined") {
		return fmt.Errorf("%s: %s; keep one of them", place, msg)
	}
	if key, want := keyOf(located.GetToken()), wanted(err); key != "" && want != "" {
		return fmt.Errorf("%s: %s has to be %s; doc/configuration.md has an example", place, key, want)
	}
	return fmt.Errorf("%s: this is not YAML: %s; look for a missing quote, colon or bracket, and indent with blanks, not with tabs", place, located.GetMessage())
}

// keyOf names the key whose value a token belongs to.
func keyOf(t *token.Token) string {
	if t.Type == token.MappingValueType && t.Prev != nil { // the first colon of a group where a value should stand
		t = t.Prev.Prev
	}
	for ; t != nil; t = t.Prev {
		if t.Type == token.MappingValueType && t.Prev != nil {
			return t.Prev.Value
		}
	}
	return ""
}

// wanted says in words what kind of value there should be.
func wanted(err error) string {
	var node *yaml.UnexpectedNodeTypeError
	if errors.As(err, &node) {
		switch node.Expected {
		case ast.SequenceType:
			return "a list such as [a, b]"
		case ast.MappingType:
			return "a group of keys, each on a line of its own below it"
		}
		return ""
	}
	var large *yaml.OverflowError
	if errors.As(err, &large) {
		return "a number that is not so large"
	}
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		return ""
	}
	if wrong.DstType == reflect.TypeFor[time.Duration]() {
		return "a length of time such as 90s, 5m or 120h"
	}
	switch wrong.DstType.Kind().String() {
	case "int", "int64":
		return "a whole number"
	case "float64":
		return "a number"
	case "bool":
		return "true or false"
	case "string":
		return "one text"
	case "slice":
		return "a list such as [a, b]"
	}
	return ""
}

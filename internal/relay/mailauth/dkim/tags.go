package dkim

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Tags is a parsed tag list (RFC 6376 §3.2): names keep their case, values have
// no white space around them.
type Tags map[string]string

var errTags = errors.New("malformed tag list")

// ParseTags reads "name=value; name=value", with or without a final semicolon.
// The error names what is wrong: a part without "=", an empty part, a name of
// other than letters, digits and "_", or a name that occurs twice.
func ParseTags(list string) (Tags, error) {
	list = strings.Trim(list, fws)
	return parseTags(strings.TrimSuffix(list, ";"), false)
}

// parseTags passes over empty parts if it is told to: they are common slips in
// published records, and harmless there.
func parseTags(list string, passEmpty bool) (Tags, error) {
	tags := make(Tags, 12)
	for part := range strings.SplitSeq(list, ";") {
		part = strings.Trim(part, fws)
		if part == "" && passEmpty {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		name = strings.TrimRight(name, fws)
		if !ok || !validTagName(name) {
			return nil, fmt.Errorf("%w: %.40q", errTags, part)
		}
		if _, twice := tags[name]; twice {
			return nil, fmt.Errorf("%w: tag %s= occurs twice", errTags, name)
		}
		tags[name] = strings.TrimLeft(value, fws)
	}
	return tags, nil
}

const fws = " \t\r\n"

func validTagName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != ""
}

// List is the value of a colon-separated tag, white space removed; nil if the
// tag is missing.
func (t Tags) List(name string) []string {
	value, ok := t[name]
	if !ok {
		return nil
	}
	items := strings.Split(value, ":")
	for i, item := range items {
		items[i] = strings.Trim(item, fws)
	}
	return items
}

var unfold = strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "")

// Base64 decodes a tag's value, white space ignored (RFC 6376 §2.10). Bits that
// no octet uses must be zero, so that one value has one spelling.
func (t Tags) Base64(name string) ([]byte, error) {
	return base64.StdEncoding.Strict().DecodeString(unfold.Replace(t[name]))
}

// has reports whether a list holds an item, case ignored.
func has(list []string, item string) bool {
	for _, s := range list {
		if strings.EqualFold(s, item) {
			return true
		}
	}
	return false
}

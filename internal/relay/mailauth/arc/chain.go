package arc

import (
	"fmt"
	"strconv"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/mailauth/dkim"
)

// maxSets is the highest instance number (RFC 8617 §4.2.1).
const maxSets = 50

// The fields of an ARC set, in the order in which they are sealed (RFC 8617 §5.1.1).
const (
	fieldResults = iota
	fieldMessage
	fieldSeal
	setFields
)

var fieldNames = [setFields]string{"ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"}

// set is one ARC set: where its fields stand in the header.
type set struct {
	at   [setFields]int // index in the header
	seal dkim.Tags
}

// chain finds the sets of m, i=1 first. Without any ARC field it is empty. The
// error says which structural rule is broken (RFC 8617 §5.2 steps 2 and 3).
func chain(m *dkim.Message) ([]set, error) {
	found := map[int]map[int]int{} // instance → kind → header index
	for at, f := range m.Header {
		for kind, name := range fieldNames {
			if !f.Is(name) {
				continue
			}
			i, err := instance(kind, f)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if found[i] == nil {
				found[i] = map[int]int{}
			}
			if _, twice := found[i][kind]; twice {
				return nil, fmt.Errorf("i=%d has two %s fields", i, name)
			}
			found[i][kind] = at
		}
	}
	sets := make([]set, len(found))
	for n := range sets {
		if len(found[n+1]) != setFields {
			return nil, fmt.Errorf("set i=%d is missing or not complete", n+1)
		}
		for kind, at := range found[n+1] {
			sets[n].at[kind] = at
		}
		var err error
		if sets[n].seal, err = dkim.ParseTags(m.Header[sets[n].at[fieldSeal]].Value()); err != nil {
			return nil, fmt.Errorf("ARC-Seal i=%d: %w", n+1, err)
		}
	}
	return sets, nil
}

// instance is the i= of a field. In ARC-Authentication-Results it comes first and
// the rest is free text (RFC 8617 §4.1.1).
func instance(kind int, f mail.Field) (int, error) {
	var text string
	if kind == fieldResults {
		first, _, _ := strings.Cut(f.Value(), ";")
		name, value, _ := strings.Cut(first, "=")
		if strings.TrimSpace(name) != "i" {
			return 0, fmt.Errorf("does not begin with i=")
		}
		text = strings.TrimSpace(value)
	} else {
		tags, err := dkim.ParseTags(f.Value())
		if err != nil {
			return 0, err
		}
		text = tags["i"]
	}
	i, err := strconv.Atoi(text)
	if err != nil || i < 1 || i > maxSets || text[0] == '+' {
		return 0, fmt.Errorf("instance %.10q", text)
	}
	return i, nil
}

package cmdlet

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

//go:embed table.json
var tableJSON []byte

// Parameter is one documented parameter.
type Parameter struct {
	Name     string   `json:"-"`
	Type     string   `json:"t"` // as the documentation names it: "Boolean", "Word[]", "SclValue" ...
	Required bool     `json:"r"`
	Values   []string `json:"v"` // enumeration, in the documentation's spelling; "$null" among them means null is allowed
}

// Table is every cmdlet and its parameters. It is never changed after Load.
type Table struct {
	cmdlets map[string]entry // by lower-case name
}

type entry struct {
	name   string
	params map[string]Parameter // by lower-case name
}

// Load reads the embedded table.
func Load() (*Table, error) {
	var raw map[string]map[string]Parameter
	if err := json.Unmarshal(tableJSON, &raw); err != nil {
		return nil, fmt.Errorf("cmdlet table: %w", err)
	}
	t := &Table{cmdlets: make(map[string]entry, len(raw))}
	for name, rows := range raw {
		e := entry{name: name, params: make(map[string]Parameter, len(rows))}
		for p, row := range rows {
			row.Name = p
			e.params[strings.ToLower(p)] = row
		}
		t.cmdlets[strings.ToLower(name)] = e
	}
	return t, nil
}

// Name is the documented spelling of a cmdlet, "" if there is none.
func (t *Table) Name(cmdlet string) string { return t.cmdlets[strings.ToLower(cmdlet)].name }

// Parameters are a cmdlet's parameters in the order of their names.
func (t *Table) Parameters(cmdlet string) []Parameter {
	var ps []Parameter
	for _, p := range t.cmdlets[strings.ToLower(cmdlet)].params {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, func(a, b Parameter) int { return strings.Compare(a.Name, b.Name) })
	return ps
}

// Split cuts "New-InboundConnector" into verb and noun.
func Split(cmdlet string) (verb, noun string) {
	verb, noun, _ = strings.Cut(cmdlet, "-")
	return verb, noun
}

//go:build ignore

// Gen writes table.json, the parameters of the cmdlets that the twin knows, from
// the catalogue extracted from Microsoft's documentation (see NOTICE):
//
//	go run gen.go path/to/cmdlets.json
package main

import (
	"encoding/json"
	"log"
	"os"
	"regexp"
	"slices"
	"strings"
)

type source struct {
	Cmdlets map[string]struct {
		Parameters map[string]struct {
			Type           string
			Required       bool
			ExchangeOnline bool
			AcceptedValues []string
			ParameterSets  []string
		}
	}
}

// parameter is one row of table.json; cmdlet.Parameter reads it.
type parameter struct {
	Type     string   `json:"t"`
	Required bool     `json:"r,omitempty"`
	Values   []string `json:"v,omitempty"`
}

// skipped cmdlets belong to the client module, not to the service.
var skipped = regexp.MustCompile(`^(Connect-|Disconnect-|Get-ConnectionInformation)`)

var word = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// free are parameters whose documented values are examples or prose, not an enumeration.
var free = map[string]bool{"SenderIPAddresses": true, "SendingInfrastructure": true, "OrganizationalUnit": true}

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var src source
	if err := json.Unmarshal(text, &src); err != nil {
		log.Fatal(err)
	}
	table := map[string]map[string]parameter{}
	for name, c := range src.Cmdlets {
		if skipped.MatchString(name) {
			continue
		}
		rows := map[string]parameter{}
		for p, v := range c.Parameters {
			if !v.ExchangeOnline {
				continue // the cloud rejects parameters of on-premises servers
			}
			// what only some parameter sets require is left to the cmdlet itself
			rows[p] = parameter{v.Type, v.Required && slices.Equal(v.ParameterSets, []string{"(All)"}), values(p, v.AcceptedValues)}
		}
		table[name] = rows
	}
	out, err := json.Marshal(table)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("table.json", append(out, '\n'), 0o644); err != nil {
		log.Fatal(err)
	}
}

// values keeps what is an enumeration: single words, and $null where it is allowed.
func values(name string, accepted []string) []string {
	if free[name] {
		return nil
	}
	var v []string
	for _, a := range accepted {
		switch {
		case a == "$true" || a == "$false":
		case a == "$null":
			v = append(v, a)
		case !word.MatchString(a):
			return nil
		default:
			v = append(v, a)
		}
	}
	if slices.Equal(v, []string{"$null"}) {
		return v
	}
	if len(v) < 2 || slices.ContainsFunc(v, func(s string) bool { return strings.ContainsAny(s, " .") }) {
		return nil
	}
	return v
}

package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// exchangeOnline are the networks from which Exchange Online sends, one a line.
// Source and date stand in the file. relay.sources or relay.sources_file replace it.
//
//go:embed exchange-online.txt
var exchangeOnline string

// sources are the networks that may hand in mail with a key; nil means any.
func (c *Config) sources() ([]netip.Prefix, error) {
	switch {
	case len(c.Relay.Sources) == 1 && c.Relay.Sources[0] == "any":
		return nil, nil
	case len(c.Relay.Sources) > 0:
		return parseNetworks("relay.sources", c.Relay.Sources)
	case c.Relay.SourcesFile != "":
		text, err := os.ReadFile(c.Relay.SourcesFile)
		if err != nil {
			return nil, fmt.Errorf("relay.sources_file: %w", err)
		}
		return parseNetworks("relay.sources_file", lines(string(text)))
	}
	return parseNetworks("the shipped list", lines(exchangeOnline))
}

// lines are the lines of text without comments and empty ones.
func lines(text string) []string {
	var list []string
	for sc := bufio.NewScanner(strings.NewReader(text)); sc.Scan(); {
		line, _, _ := strings.Cut(sc.Text(), "#")
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}

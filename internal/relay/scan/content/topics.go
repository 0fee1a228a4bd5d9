package content

import (
	"slices"
	"strings"
)

type topicName string

// A topic is one thing a text may speak of, in several languages: phrases in
// lower case without accents, as scan.Fold gives them, one a line. "*" at the end
// of one stands for any ending.
type topic struct {
	name topicName
	text string
}

func (t topic) phrases() []string {
	var out []string
	for line := range strings.Lines(t.text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

var topicAt = func() map[topicName]int {
	m := make(map[topicName]int)
	for i, t := range topics {
		m[t.name] = i
	}
	return m
}()

// topicIndex panics for a name that is not in topics; a test names each.
func topicIndex(name topicName) int {
	i, ok := topicAt[name]
	if !ok {
		panic("content: no topic " + string(name))
	}
	return i
}

// topics are all of them. Rules name them.
var topics = slices.Concat(phishTopics, pretextTopics, fraudTopics, spamTopics, mannerTopics)

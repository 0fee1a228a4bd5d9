// Package content judges what a message says: a small set of weighted phrases in
// English, German, French and Spanish for the kinds of fraud that are most
// common, what classic spam sells, and the shape of header and page that bulk
// mailers of that sort leave. It is no classifier and learns nothing; each of its
// findings can be read and understood by itself.
//
// Weights were tuned on the freely licensed development mail only (SpamAssassin's
// public corpus, foff-milter).
package content

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// Scanner is made by New. It may be used by many goroutines.
type Scanner struct {
	phrases *matcher
	topics  []topicSet // that each phrase belongs to
	said    []string   // the phrases
}

// topicSet is a set of topics, one bit each.
type topicSet [2]uint64

func (s *topicSet) add(t int)     { s[t/64] |= 1 << (t % 64) }
func (s topicSet) has(t int) bool { return s[t/64]&(1<<(t%64)) != 0 }

// New builds the tables, which takes some milliseconds.
func New() *Scanner {
	s := &Scanner{}
	index := make(map[string]int)
	for t := range topics {
		for _, p := range topics[t].phrases() {
			n, ok := index[p]
			if !ok {
				n = len(s.said)
				index[p] = n
				s.said = append(s.said, p)
				s.topics = append(s.topics, topicSet{})
			}
			s.topics[n].add(t)
		}
	}
	s.phrases = newMatcher(s.said)
	return s
}

// Name is part of scan.Scanner.
func (s *Scanner) Name() string { return "content" }

// Scan is part of scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, msg *mail.Message, about scan.About) ([]mail.Finding, error) {
	heard := s.listen(about.Folded(msg))
	heard.discussion = msg.Header.First("List-Post") != "" || msg.Header.First("List-Id") != "" && msg.Header.First("In-Reply-To") != ""
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var found []mail.Finding
	for i := range rules {
		if f, ok := rules[i].judge(heard, msg); ok {
			found = append(found, f)
		}
	}
	found = append(found, shape(msg, about, heard)...)
	if msg.Bulk {
		found = append(found, mail.Finding{Rule: "content.bulk", Class: mail.Bulk, Score: 30, Detail: "It is marked as bulk mail: a newsletter or a mailing list."})
	}
	return found, nil
}

// hearing is which topics a text touches, and with which different phrases.
type hearing struct {
	count [maxTopics]int
	said  [maxTopics][]int
	s     *Scanner
	size  int // octets of folded text

	discussion bool // it is from a mailing list that people write to
}

const (
	maxTopics = 128
	longText  = 8 << 10 // octets of folded text; three printed pages
)

func (s *Scanner) listen(folded string) *hearing {
	h := &hearing{s: s, size: len(folded)}
	seen := make([]bool, len(s.said))
	s.phrases.find(folded, func(n int) {
		if seen[n] {
			return
		}
		seen[n] = true
		for t := range topics {
			if s.topics[n].has(t) {
				h.count[t]++
				h.said[t] = append(h.said[t], n)
			}
		}
	})
	return h
}

// quote is the first few phrases said on the topics, for the reader of a finding.
func (h *hearing) quote(names ...topicName) string {
	var out []string
	for _, name := range names {
		for _, n := range h.said[topicIndex(name)] {
			q := "“" + strings.TrimSuffix(h.s.said[n], "*") + "”"
			if len(out) < 4 && !slices.Contains(out, q) {
				out = append(out, q)
			}
		}
	}
	return strings.Join(out, ", ")
}

func (h *hearing) has(name topicName) bool { return h.count[topicIndex(name)] > 0 }

// A rule is a claim that holds when a message touches certain topics.
type rule struct {
	name   string
	class  mail.Verdict
	score  int
	more   int         // points for each phrase of all's topics beyond the first of each
	most   int         // of score and more together
	all    []topicName // each must be touched
	any    []topicName // one of them must be, if there are any
	not    []topicName // none of them may be
	least  int         // different phrases of all's topics, if more than one of each
	links  bool        // only if the message has a link or a form
	short  int         // only if the text is shorter, in octets
	letter bool        // only if the message is not marked as bulk mail
	says   string      // what the message does: "threatens to close an account"
}

func (r *rule) judge(h *hearing, msg *mail.Message) (mail.Finding, bool) {
	n := 0
	for _, t := range r.all {
		c := h.count[topicIndex(t)]
		if c == 0 {
			return mail.Finding{}, false
		}
		n += c
	}
	switch {
	case len(r.any) > 0 && !slices.ContainsFunc(r.any, h.has),
		slices.ContainsFunc(r.not, h.has),
		n < r.least,
		r.links && len(msg.Links) == 0,
		r.letter && msg.Bulk,
		r.short > 0 && h.size > r.short:
		return mail.Finding{}, false
	}
	score := r.score + r.more*(n-max(len(r.all), r.least))
	if r.most > 0 {
		score = min(score, r.most)
	}
	switch { // in a long text, and where many people talk, phrases meet by chance
	case h.size > 4*longText:
		score /= 3
	case h.discussion, msg.Bulk && h.size > longText/2:
		score /= 2
	case h.size > longText:
		score = score * 2 / 3
	}
	return mail.Finding{
		Rule: "content." + r.name, Class: r.class, Score: score,
		Detail: fmt.Sprintf("The text %s (%s).", r.says, h.quote(append(slices.Clone(r.all), r.any...)...)),
	}, true
}

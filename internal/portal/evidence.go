package portal

import (
	"regexp"
	"strings"
	"unicode"

	"postern/internal/mail"
)

// A reason is one sentence for the verdict, and where in the message it shows.
type reason struct {
	Text  string
	Where string // a part's path or a header field's name; "" for the whole message
	seen  []string
}

// A span is a stretch of text; Mark is the number of the reason that it is
// evidence for, 0 for none.
type span struct {
	Text string
	Mark int
}

var (
	quoted   = regexp.MustCompile(`“([^”]+)”`)
	hostLike = regexp.MustCompile(`[\pL\pN](?:[\pL\pN-]*[\pL\pN])?(?:\.[\pL\pN](?:[\pL\pN-]*[\pL\pN])?)+`)
)

// reasonsOf finds for each sentence the finding it comes from, and what it quotes
// of the message.
func reasonsOf(sentences []string, found []mail.Finding) []reason {
	all := make([]reason, len(sentences))
	for i, text := range sentences {
		all[i].Text = text
		for _, m := range quoted.FindAllStringSubmatch(text, 8) {
			all[i].seen = append(all[i].seen, strings.TrimSuffix(m[1], "…"))
		}
		for _, f := range found {
			if f.Detail != text {
				continue
			}
			all[i].Where = f.Where
			if strings.HasPrefix(f.Rule, "link.") || strings.HasPrefix(f.Rule, "lookalike.") {
				all[i].seen = append(all[i].seen, hostLike.FindAllString(text, 4)...)
			}
			break
		}
	}
	return all
}

// about is the number of the first reason that is about a place, 0 if none is.
func about(reasons []reason, where string) int {
	for i, r := range reasons {
		if r.Where != "" && strings.EqualFold(r.Where, where) {
			return i + 1
		}
	}
	return 0
}

// leastEvidence is the shortest quotation that is looked for: shorter ones stand
// everywhere.
const leastEvidence = 4 // characters

// mark cuts text where a reason quotes it, without regard to case and white space.
func mark(text string, reasons []reason) []span {
	runes := []rune(text)
	low, at := squeeze(runes)
	owner := make([]int, len(runes))
	for i, r := range reasons {
		for _, quote := range r.seen {
			q, _ := squeeze([]rune(quote))
			if len(q) < leastEvidence {
				continue
			}
			for from := 0; from+len(q) <= len(low); from++ {
				if !same(low[from:from+len(q)], q) {
					continue
				}
				for k := at[from]; k <= at[from+len(q)-1]; k++ {
					if owner[k] == 0 {
						owner[k] = i + 1
					}
				}
				from += len(q) - 1
			}
		}
	}
	var out []span
	for start := 0; start < len(runes); {
		end := start + 1
		for end < len(runes) && owner[end] == owner[start] {
			end++
		}
		out = append(out, span{string(runes[start:end]), owner[start]})
		start = end
	}
	return out
}

// squeeze is text in lower case with one blank for all white space and one kind of
// quotation mark, as scan.Quote has it, and where each of its characters stood.
func squeeze(text []rune) (low []rune, at []int) {
	for i, r := range text {
		if unicode.IsSpace(r) {
			if len(low) > 0 && low[len(low)-1] == ' ' {
				continue
			}
			r = ' '
		}
		if r == '“' || r == '”' {
			r = '"'
		}
		low, at = append(low, unicode.ToLower(r)), append(at, i)
	}
	return low, at
}

func same(a, b []rune) bool {
	for i := range b {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

package admit

import "strings"

// Without is a header without our control headers and the fields called names. It
// ends before the empty line, as the header given does.
func (n Headers) Without(header []byte, names ...string) []byte {
	s := n.read(header)
	kept := make([]byte, 0, len(header))
fields:
	for _, raw := range s.kept {
		before, _, _ := strings.Cut(string(raw[:min(len(raw), 200)]), ":")
		for _, name := range names {
			if strings.EqualFold(string(fold([]byte(before))), name) {
				continue fields
			}
		}
		kept = append(kept, raw...)
	}
	return kept
}

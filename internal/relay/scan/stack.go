package scan

import (
	"bufio"
	"bytes"
	"strings"
)

// topFrame is the place in which a panic happened: the first line of the stack
// behind runtime's own that names a file.
func topFrame(stack []byte) string {
	sc := bufio.NewScanner(bytes.NewReader(stack))
	panicked := false
	for sc.Scan() {
		line := sc.Text()
		if strings.HasPrefix(line, "panic(") {
			panicked = true
			sc.Scan() // its file
			continue
		}
		if panicked && strings.HasPrefix(line, "\t") && !strings.Contains(line, "/runtime/") {
			place, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			return place
		}
	}
	return "unknown place"
}

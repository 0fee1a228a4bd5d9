package wire

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
)

// A Reply is an SMTP reply; Text has the enhanced code at its front and may have
// several lines.
type Reply struct {
	Code int
	Text string
}

func (r Reply) String() string {
	return fmt.Sprintf("%d %s", r.Code, strings.ReplaceAll(r.Text, "\n", " "))
}

// OK reports 2xx or 3xx.
func (r Reply) OK() bool { return r.Code >= 200 && r.Code < 400 }

func (r Reply) writeTo(w *bufio.Writer) {
	lines := strings.Split(r.Text, "\n")
	for i, l := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		fmt.Fprintf(w, "%d%s%s\r\n", r.Code, sep, l)
	}
}

// readReply reads one reply of up to 100 lines.
func readReply(r *bufio.Reader) (Reply, error) {
	var out Reply
	var lines []string
	for range 100 {
		line, err := r.ReadString('\n')
		if err != nil {
			return out, err
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 3 {
			return out, fmt.Errorf("short reply %q", line)
		}
		code, err := strconv.Atoi(line[:3])
		if err != nil {
			return out, fmt.Errorf("bad reply %q", line)
		}
		out.Code = code
		if len(line) > 3 {
			lines = append(lines, line[4:])
		}
		if len(line) == 3 || line[3] == ' ' {
			out.Text = strings.Join(lines, "\n")
			return out, nil
		}
	}
	return out, fmt.Errorf("reply of more than 100 lines")
}

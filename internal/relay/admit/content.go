package admit

import (
	"bytes"
	"errors"
	"io"
)

// maxHeader is the largest header that is not held, in octets. Four times as much
// is searched for a key, so that none is stored by accident.
const maxHeader = 1 << 20

var headerEnd = []byte("\r\n\r\n")

// readHeader reads body until the empty line. head ends with the last field's line
// end; rest begins with the empty line and is followed by what body still yields.
// A message that ends within its header has no rest; of a header beyond all
// measure head is only the beginning.
func readHeader(body io.Reader) (head []byte, rest io.Reader, err error) {
	buf := make([]byte, 0, 16<<10)
	searched := 0
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if bytes.HasPrefix(buf, headerEnd[:2]) { // no header at all
			return nil, io.MultiReader(bytes.NewReader(buf), body), nil
		}
		if i := bytes.Index(buf[searched:], headerEnd); i >= 0 {
			end := searched + i + 2
			return buf[:end], io.MultiReader(bytes.NewReader(buf[end:]), body), nil
		}
		if errors.Is(err, io.EOF) {
			return buf, bytes.NewReader(nil), nil
		}
		if err != nil {
			return nil, nil, err
		}
		if len(buf) > 4*maxHeader {
			return buf, body, nil
		}
		searched = max(0, len(buf)-3)
	}
}

// result puts the kept fields and the rest together again.
func (s *scan) result(list []Admission, size int, rest io.Reader) *Result {
	header := make([]byte, 0, size)
	for _, raw := range s.kept {
		header = append(header, raw...)
	}
	return &Result{
		Admissions: list,
		Header:     header,
		Fields:     s.kept,
		Rest:       rest,
		Subject:    s.subject,
		From:       s.from,
		MessageID:  s.id,
	}
}

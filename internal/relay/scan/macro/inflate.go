package macro

import (
	"bytes"
	"compress/zlib"
	"io"
)

// inflate expands at most maxStream octets of b, as far as it is sound.
func inflate(b []byte) []byte {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	out, _ := io.ReadAll(io.LimitReader(z, maxStream)) // what comes before an error counts too
	return out
}

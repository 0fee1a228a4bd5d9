package macro

import (
	"bytes"
	"encoding/binary"
)

// maxSource is how much macro text of one document is looked at.
const maxSource = 2 << 20

// modules returns the source texts in a stream of a VBA project: every
// compressed container that begins with an attribute line, as each module's
// source does. Looking for them instead of following the dir stream also finds
// what a damaged or forged dir stream hides.
func modules(stream []byte) []byte {
	var out []byte
	rest := stream
	for len(out) < maxSource {
		// "Attribut" is the first eight literals of a compressed module, behind
		// the container's signature, a chunk header and a flag octet.
		i := bytes.Index(rest, []byte("\x00Attribut"))
		if i < 0 {
			return out
		}
		if i >= 3 && rest[i-3] == 1 {
			out = append(out, decompress(rest[i-3:], maxSource-len(out))...)
			out = append(out, '\n')
		}
		rest = rest[i+9:]
	}
	return out
}

// decompress expands a CompressedContainer (MS-OVBA §2.4.1.3.1) as far as it is
// sound, and to at most most octets.
func decompress(in []byte, most int) []byte {
	if len(in) == 0 || in[0] != 1 {
		return nil
	}
	var out []byte
	pos := 1
	for pos+2 <= len(in) && len(out) < most {
		header := binary.LittleEndian.Uint16(in[pos:])
		if header>>12&7 != 3 { // CompressedChunkSignature
			break
		}
		end := min(pos+int(header&0xfff)+3, len(in))
		chunk := in[pos+2 : end]
		if header&0x8000 == 0 {
			out = append(out, chunk...)
		} else {
			out = expand(out, chunk)
		}
		pos = end
	}
	return out[:min(len(out), most)]
}

// expand adds one compressed chunk to out (MS-OVBA §2.4.1.3.2): a flag octet
// before each eight tokens says which are literals and which copies.
func expand(out, chunk []byte) []byte {
	start := len(out) // copies reach back into this chunk only
	for i := 0; i < len(chunk); {
		flags := chunk[i]
		i++
		for bit := 0; bit < 8 && i < len(chunk); bit++ {
			if flags>>bit&1 == 0 {
				out = append(out, chunk[i])
				i++
				continue
			}
			if i+2 > len(chunk) {
				return out
			}
			token := binary.LittleEndian.Uint16(chunk[i:])
			i += 2
			length, offset := copyToken(token, len(out)-start)
			if offset > len(out)-start || len(out)-start+length > 4096+length {
				return out
			}
			for range length {
				out = append(out, out[len(out)-offset])
			}
		}
	}
	return out
}

// copyToken unpacks a token by how much of the chunk there is (MS-OVBA
// §2.4.1.3.19.1).
func copyToken(token uint16, have int) (length, offset int) {
	bits := 4
	for 1<<bits < have {
		bits++
	}
	bits = min(bits, 12)
	return int(token&(0xffff>>bits)) + 3, int(token>>(16-bits)) + 1
}

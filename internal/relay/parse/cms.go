package parse

import (
	"bytes"

	"postern/internal/mail"
	"postern/internal/relay/parse/unpack"
)

// Content types of CMS (RFC 5652 §4 to §9, RFC 3274 §1.1, RFC 5083 §2), as DER.
var (
	oidSigned     = []byte{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 2}
	oidEnveloped  = []byte{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 3}
	oidEncrypted  = []byte{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 6}
	oidCompressed = []byte{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 16, 1, 9}
	oidAuthEnv    = []byte{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 16, 1, 23}
)

// cms looks into an S/MIME body (RFC 8551 §3.2): what is only signed or compressed
// a mail program shows as if nothing were around it, so it is read as a message;
// what is encrypted is marked. false: data is no CMS.
func (p *parser) cms(i int, data []byte, depth int) bool {
	kind, content := cmsContent(data)
	part := &p.msg.Parts[i]
	switch {
	case bytes.Equal(kind, oidEnveloped), bytes.Equal(kind, oidEncrypted), bytes.Equal(kind, oidAuthEnv):
		part.Encrypted = true
		return true
	case len(content) == 0:
		return kind != nil
	}
	part.Container = "smime"
	where := containerPath(part)
	if depth >= p.lim.Containers {
		p.report("limit.depth", holdScore, part.Path, "Signed messages are nested too deep; what is deeper was not taken apart.")
		return true
	}
	if bytes.Equal(kind, oidCompressed) {
		err := unpack.Open("zlib", content, &p.budget, func(m unpack.Member) { content = m.Data })
		p.archiveError(i, err)
	}
	p.document(content, where, depth+1)
	return true
}

// couldBeCMS reports a part that a mail program hands to its S/MIME code.
func couldBeCMS(part *mail.Part, data []byte) bool {
	if len(data) < 32 || data[0] != 0x30 {
		return false
	}
	switch part.Type {
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		return true
	}
	return extension(part.Name) == "p7m" || extension(part.Name) == "p7z"
}

// cmsContent finds the content of a signed or compressed CMS object, the kind alone
// of others.
func cmsContent(b []byte) (kind, content []byte) {
	info := children(b)
	if len(info) < 1 || info[0].tag != 0x30 {
		return nil, nil
	}
	info = children(info[0].body)
	if len(info) < 2 || info[0].tag != 0x06 || info[1].tag != 0xA0 {
		return nil, nil
	}
	kind = info[0].body
	if !bytes.Equal(kind, oidSigned) && !bytes.Equal(kind, oidCompressed) {
		return kind, nil
	}
	outer := children(info[1].body)
	if len(outer) < 1 {
		return kind, nil
	}
	data := children(outer[0].body)
	if len(data) < 3 || data[2].tag != 0x30 { // version, algorithms, encapsulated content
		return kind, nil
	}
	encap := children(data[2].body)
	if len(encap) < 2 || encap[1].tag != 0xA0 { // a detached signature
		return kind, nil
	}
	for _, o := range children(encap[1].body) {
		content = append(content, octetString(o, 0)...)
	}
	return kind, content
}

// node is one element in BER (X.690 §8.1).
type node struct {
	tag  byte
	body []byte
}

const (
	maxBER      = 16        // elements inside each other
	maxElements = 1_000_000 // one after the other: a content of 1 GB in pieces of 1,000
)

// octetString joins the pieces of a constructed octet string.
func octetString(n node, depth int) []byte {
	switch {
	case n.tag == 0x04:
		return n.body
	case n.tag != 0x24 || depth > maxBER:
		return nil
	}
	var all []byte
	for _, piece := range children(n.body) {
		all = append(all, octetString(piece, depth+1)...)
	}
	return all
}

// children are the elements that b consists of, as far as they can be read.
func children(b []byte) (list []node) {
	for len(b) > 0 && len(list) < maxElements {
		n, rest, ok := element(b, 0)
		if !ok || n.tag == 0 {
			return list
		}
		list = append(list, n)
		b = rest
	}
	return list
}

// element reads the first element of b; one that is cut reaches to the end.
func element(b []byte, depth int) (n node, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&0x1F == 0x1F || depth > maxBER {
		return n, nil, false
	}
	n.tag = b[0]
	size, body := int(b[1]), b[2:]
	switch {
	case size == 0x80: // indefinite: up to the end-of-contents octets (X.690 §8.1.5)
		at := body
		for {
			if len(at) >= 2 && at[0] == 0 && at[1] == 0 {
				n.body = body[:len(body)-len(at)]
				return n, at[2:], true
			}
			_, next, ok := element(at, depth+1)
			if !ok {
				n.body = body
				return n, nil, true
			}
			at = next
		}
	case size > 0x80:
		k := size & 0x7F
		if k > 4 || k > len(body) {
			return n, nil, false
		}
		size = 0
		for _, c := range body[:k] {
			size = size<<8 | int(c)
		}
		body = body[k:]
	}
	size = min(size, len(body))
	n.body = body[:size]
	return n, body[size:], true
}

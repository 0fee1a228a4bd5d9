package dkim

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"math/big"
)

// digestInfo is the DER that stands before the digest in a PKCS #1 v1.5 signature
// (RFC 8017 §9.2).
var digestInfo = map[crypto.Hash][]byte{
	crypto.SHA1:   []byte("\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14"),
	crypto.SHA256: []byte("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"),
}

// verifyWeak is rsa.VerifyPKCS1v15 for keys under 1024 bits, which the standard
// library refuses. Its outcome only tells "signed with too short a key" from
// "forged" in a report; neither counts as a pass.
func verifyWeak(pub *rsa.PublicKey, hash crypto.Hash, digest, sig []byte) bool {
	size := pub.Size()
	prefix := digestInfo[hash]
	pad := size - 3 - len(prefix) - len(digest)
	if len(sig) != size || prefix == nil || pad < 8 || pub.N.Bit(0) == 0 {
		return false
	}
	s := new(big.Int).SetBytes(sig)
	if s.Cmp(pub.N) >= 0 {
		return false
	}
	got := s.Exp(s, big.NewInt(int64(pub.E)), pub.N).FillBytes(make([]byte, size))
	want := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, pad)...)
	want = append(want, 0)
	want = append(append(want, prefix...), digest...)
	return bytes.Equal(got, want)
}

package parse

import (
	"bytes"
	"compress/zlib"
	"testing"
)

// ber writes one element; indefinite without a length.
func ber(tag byte, indefinite bool, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	if indefinite {
		return append(append([]byte{tag, 0x80}, body...), 0, 0)
	}
	n := len(body)
	return append([]byte{tag, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

func signed(kind, content []byte, indefinite bool) []byte {
	octets := ber(0x04, false, content)
	if indefinite {
		octets = ber(0x24, true, ber(0x04, false, content[:len(content)/2]), ber(0x04, false, content[len(content)/2:]))
	}
	data := ber(0x30, indefinite, ber(0x02, false, []byte{1}), ber(0x31, false), ber(0x30, indefinite, ber(0x06, false, []byte{1, 2, 3}), ber(0xA0, indefinite, octets)), ber(0x31, false))
	return ber(0x30, indefinite, append([]byte{0x06, byte(len(kind))}, kind...), ber(0xA0, indefinite, data))
}

func TestWhatIsOnlySignedOrCompressedIsReadThrough(t *testing.T) {
	inner := []byte("Content-Type: multipart/mixed; boundary=bar\r\n\r\n--bar\r\n" + file(fileHead+"Content-Transfer-Encoding: base64\r\n", b64([]byte(eicar))) + "--bar--\r\n")
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	w.Write(inner)
	w.Close()
	head := "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\nContent-Disposition: attachment; filename=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	for name, data := range map[string][]byte{
		"signed, DER":            signed(oidSigned, inner, false),
		"signed, BER":            signed(oidSigned, inner, true),
		"compressed":             signed(oidCompressed, z.Bytes(), false),
		"signed twice":           signed(oidSigned, []byte(head+b64(signed(oidSigned, inner, true))), false),
		"signed, cut at the end": signed(oidSigned, inner, true)[:len(signed(oidSigned, inner, true))-20],
	} {
		if m := Parse([]byte(top+head+b64(data)), Limits{}); !surfaced(m) {
			t.Errorf("%s: not seen: %+v", name, outline(m))
		}
	}
}

func TestWhatIsEncryptedIsMarked(t *testing.T) {
	enveloped := ber(0x30, false, append([]byte{0x06, 9}, oidEnveloped...), ber(0xA0, false, ber(0x30, false, ber(0x02, false, noise(100)))))
	for name, msg := range map[string]string{
		"enveloped": top + "Content-Type: application/pkcs7-mime; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64(enveloped),
		"PGP":       mixed("Content-Type: multipart/encrypted; boundary=foo; protocol=\"application/pgp-encrypted\"", "Content-Type: application/octet-stream\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\n"+b64(noise(300))+"-----END PGP MESSAGE-----\r\n"),
	} {
		m := Parse([]byte(msg), Limits{})
		if last := m.Parts[len(m.Parts)-1]; !last.Encrypted {
			t.Errorf("%s: not marked: %s", name, outline(m))
		}
	}
}

func FuzzCMS(f *testing.F) {
	f.Add(signed(oidSigned, []byte("hello"), true))
	f.Add(signed(oidSigned, []byte("hello"), false))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, content := cmsContent(b); len(content) > len(b) {
			t.Errorf("%d octets out of %d", len(content), len(b))
		}
	})
}

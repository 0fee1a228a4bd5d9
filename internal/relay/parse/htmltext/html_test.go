package htmltext

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

var wide = Limits{Text: 1 << 20, Links: 1000}

func TestTextIsWhatAReaderSees(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"words", "a  b\n\tc", "a b c"},
		{"paragraphs", "<p>a</p><p>b</p>", "a\nb"},
		{"line break", "a<br>b", "a\nb"},
		{"inline elements", "a<b>b</b>c <i>d</i>", "abc d"},
		{"entities", "a &amp; b &eacute; &#8364;", "a & b é €"},
		{"head and script", "<html><head><title>t</title><style>p{}</style><script>x</script></head><body>a</body></html>", "a"},
		{"comment", "a<!-- b -->c", "ac"},
		{"table", "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "ab\nc"},
		{"list without end tags", "<ul><li>a<li>b</ul>", "a\nb"},
		{"display none", "a<div style='display:none'>b</div>c", "a\nc"},
		{"display none important", "a<span style='DISPLAY: NONE !important'>b</span>c", "ac"},
		{"visibility", "a<span style='visibility:hidden'>b</span>c", "ac"},
		{"font size zero", "a<span style='font-size:0'>b</span>c", "ac"},
		{"font size one pixel", "a<span style='font-size:1px'>b</span>c", "ac"},
		{"opacity", "a<span style='opacity:0'>b</span>c", "ac"},
		{"hidden attribute", "a<span hidden>b</span>c", "ac"},
		{"same colours", "a<span style='color:#fff;background-color:white'>b</span>c", "ac"},
		{"colour of the page", "<body bgcolor=white>a<font color='#ffffff'>b</font>c", "ac"},
		{"rgb", "<body bgcolor=#ffffff>a<span style='color:rgb(255, 255, 255)'>b</span>c", "ac"},
		{"off the page", "a<span style='text-indent:-9999px'>b</span>c", "ac"},
		{"clipped", "a<div style='max-height:0;overflow:hidden'>b</div>c", "a\nc"},
		{"inside hidden", "a<div style='display:none'><p>b<b>c</b></p></div>d", "a\nd"},
		{"hidden paragraph without end", "<p style='display:none'>a<p>b", "b"},
		{"wrong nesting", "<b><i>a</b>b</i>c", "abc"},
		{"open script", "a<script>b", "a"},
		{"open tag", "a<b", "a"},
		{"plain less-than", "1 < 2", "1 < 2"},
		{"white on nothing", "<span style='color:white'>a</span>", "a"},
	} {
		page := Extract([]byte(tt.src), wide)
		if page.Text != tt.want {
			t.Errorf("%s: %q gives %q, want %q", tt.name, tt.src, page.Text, tt.want)
		}
	}
}

func TestHiddenTextIsKeptApart(t *testing.T) {
	page := Extract([]byte("a<div style='display:none'>secret words</div>b"), wide)
	if page.Hidden != "secret words" || page.Unseen != 12 {
		t.Errorf("hidden %q, %d octets", page.Hidden, page.Unseen)
	}
}

func TestLinks(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"anchor", `<a href="http://a.example/">text <b>here</b></a>`, `[{http://a.example/ text here href }]`},
		{"entities", `<a href="http://a.example/?a=1&amp;b=2">x</a>`, `[{http://a.example/?a=1&b=2 x href }]`},
		{"blanks around and inside", "<a href=\" http://a.ex\nample/\t\">x</a>", `[{http://a.example/ x href }]`},
		{"picture in a link", `<a href="http://a.example/"><img src="http://b.example/i.png" alt="Logo"></a>`, `[{http://a.example/ Logo href } {http://b.example/i.png Logo img }]`},
		{"form", `<form action="http://a.example/login"><input type=password></form>`, `[{http://a.example/login  form }]`},
		{"button", `<button formaction="http://a.example/x">go</button>`, `[{http://a.example/x  form }]`},
		{"refresh", `<meta http-equiv="Refresh" content="0; URL='http://a.example/'">`, `[{http://a.example/  refresh }]`},
		{"area", `<area href="http://a.example/" alt=here>`, `[{http://a.example/ here href }]`},
		{"base", `<base href="http://a.example/dir/"><a href="x">y</a>`, `[{http://a.example/dir/x y href }]`},
		{"frame", `<iframe src="http://a.example/">`, `[{http://a.example/  refresh }]`},
		{"background", `<body background="http://a.example/i.gif">`, `[{http://a.example/i.gif  img }]`},
		{"svg", `<svg><a xlink:href="http://a.example/">x</a></svg>`, `[{http://a.example/ x href }]`},
		{"fragment and cid", `<a href="#top">x</a><img src="cid:1">`, `[]`},
		{"script address", `<a href="javascript:x()">x</a>`, `[{javascript:x() x href }]`},
		{"open anchor", `<a href="http://a.example/">x`, `[{http://a.example/ x href }]`},
		{"two open anchors", `<a href="http://a.example/">x<a href="http://b.example/">y`, `[{http://a.example/ x href } {http://b.example/ y href }]`},
		{"first of two attributes", `<a href="http://a.example/" href="http://b.example/">x</a>`, `[{http://a.example/ x href }]`},
		{"hidden", `<div style="display:none"><a href="http://a.example/">x</a></div>`, `[{http://a.example/  href }]`},
	} {
		if got := fmt.Sprint(Extract([]byte(tt.src), wide).Links); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestLimitsCut(t *testing.T) {
	for name, src := range map[string]string{"text": strings.Repeat("word ", 100), "links": strings.Repeat("<a href=http://a.example/>x</a>", 20), "a huge tag": "<a " + strings.Repeat("b", maxToken) + ">"} {
		if page := Extract([]byte(src), Limits{Text: 100, Links: 10}); !page.Cut || len(page.Text) > 100 || len(page.Links) > 10 {
			t.Errorf("%s: cut %v, %d octets, %d links", name, page.Cut, len(page.Text), len(page.Links))
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add("<p style='display:none'>a<a href='b'>c</a><table><tr><td>d")
	f.Add("<base href=x><meta http-equiv=refresh content='0;url=y'><svg><script>")
	f.Fuzz(func(t *testing.T, s string) {
		page := Extract([]byte(s), Limits{Text: 1000, Links: 10})
		if len(page.Text) > 1000 || len(page.Links) > 10 {
			t.Errorf("%d octets, %d links", len(page.Text), len(page.Links))
		}
		if utf8.ValidString(s) && !utf8.ValidString(page.Text) {
			t.Errorf("%q gives %q", s, page.Text)
		}
	})
}

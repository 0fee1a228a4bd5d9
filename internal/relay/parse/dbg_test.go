package parse

import (
	"fmt"
	"os"
	"testing"
)

func TestDbg(t *testing.T) {
	f := os.Getenv("F")
	if f == "" {
		t.Skip()
	}
	b, _ := os.ReadFile(f)
	p := newParser(Limits{})
	r := reader{p: p, b: b}
	r.read()
	for _, e := range r.found {
		fmt.Printf("%q kind=%d type=%q enc=%q body=%v odd=%b bnd=%q\n", e.path, e.kind, e.head.typ.main, e.head.enc, e.body, e.head.odd, e.head.boundary)
		for _, fl := range e.head.fields {
			if fl.name == nil {
				fmt.Printf("   nofield %.100q\n", fl.value)
			}
		}
	}
	fmt.Printf("odd=%b gaps=%v\n", r.odd, r.gaps)
	m := Parse(b, Limits{})
	for _, pt := range m.Parts {
		fmt.Printf("P %q %s %s sn=%s name=%q %q size=%d cont=%q %.60q\n", pt.Path, pt.Reading, pt.Type, pt.Sniffed, pt.Name, pt.Names, pt.Size, pt.Container, pt.Data)
	}
	for _, a := range m.Anomalies {
		fmt.Println(a)
	}
}

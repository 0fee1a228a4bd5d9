package api

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write doc/openapi.json anew")

const golden = "../../doc/openapi.json"

func TestTheCommittedDocumentIsWhatTheCodeSays(t *testing.T) {
	doc, err := Document()
	must(t, err)
	if *update {
		must(t, os.WriteFile(golden, doc, 0o644))
	}
	kept, err := os.ReadFile(golden)
	must(t, err)
	if string(kept) != string(doc) {
		t.Error("doc/openapi.json is not what the code says: look at the difference that go test ./internal/api -run Document -update makes, and commit it")
	}
}

// openAPI compiles the official schema of OpenAPI 3.1, with its dialect for the
// schemas within.
func openAPI(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	files, err := filepath.Glob("testdata/oas31/*.json")
	must(t, err)
	for _, name := range files {
		raw, err := os.ReadFile(name)
		must(t, err)
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		must(t, err)
		must(t, c.AddResource(v.(map[string]any)["$id"].(string), v))
	}
	s, err := c.Compile("https://spec.openapis.org/oas/3.1/schema-base/2022-10-07")
	must(t, err)
	return s
}

func TestTheDocumentIsValidOpenAPI31(t *testing.T) {
	schema := openAPI(t)
	raw, err := Document()
	must(t, err)
	read := func() map[string]any {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		must(t, err)
		return v.(map[string]any)
	}
	doc := read()
	if err := schema.Validate(doc); err != nil {
		t.Fatalf("%#v", err)
	}
	if doc["openapi"] != "3.1.0" {
		t.Errorf("it calls itself OpenAPI %v", doc["openapi"])
	}
	ids := map[any]bool{}
	walk(doc, func(m map[string]any) {
		if ref, ok := m["$ref"].(string); ok && at(doc, ref) == nil {
			t.Errorf("%s leads nowhere", ref)
		}
		if id, ok := m["operationId"]; ok {
			if ids[id] {
				t.Errorf("two operations are called %v", id)
			}
			ids[id] = true
		}
	})

	broken := map[string]func(map[string]any){ // the check itself is checked
		"no info":               func(d map[string]any) { delete(d, "info") },
		"a schema of no type":   func(d map[string]any) { at(d, "#/components/schemas/Domain").(map[string]any)["type"] = "nothing" },
		"an operation's answer": func(d map[string]any) { at(d, "#/paths/~1tenants/get").(map[string]any)["responses"] = "none" },
	}
	for name, harm := range broken {
		d := read()
		harm(d)
		if schema.Validate(d) == nil {
			t.Errorf("%s is not noticed", name)
		}
	}
}

// walk visits every object of a JSON document.
func walk(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, x := range v {
			walk(x, visit)
		}
	case []any:
		for _, x := range v {
			walk(x, visit)
		}
	}
}

// at is what a JSON pointer (RFC 6901) within doc leads to, nil if nothing.
func at(doc any, ref string) any {
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	for name := range strings.SplitSeq(pointer, "/") {
		m, _ := doc.(map[string]any)
		doc = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	return doc
}

// What the API answers fits what the document says of it.
func TestAnswersFitTheDocument(t *testing.T) {
	h := newHouse(t)
	token, _ := h.token(h.owner("ann@example.com", ""), "", allScopes()...)
	raw, err := Document()
	must(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	must(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	must(t, c.AddResource("mem:///openapi.json", doc))
	for _, d := range operations(t) {
		if d.method != "GET" {
			continue
		}
		path := strings.NewReplacer("{tenant}", "acme", "{domain}", "acme.example", "{email}", "ann@example.com", "{run}", "latest").Replace(d.path)
		r := h.ask("GET", prefix+wildcard.ReplaceAllString(path, "x"), "", bearer(token)...)
		kind := r.header.Get("Content-Type")
		pointer := fmt.Sprintf("#/paths/%s/get/responses/%d/content/%s/schema", escape(d.path), r.status, escape(kind))
		if r.status == 200 && !strings.Contains(kind, "json") {
			if base, _, _ := strings.Cut(kind, ";"); at(doc, fmt.Sprintf("#/paths/%s/get/responses/200/content/%s", strings.ReplaceAll(d.path, "/", "~1"), strings.ReplaceAll(base, "/", "~1"))) == nil || len(r.body) == 0 {
				t.Errorf("%s answers %d octets of %s", d.path, len(r.body), kind)
			}
			continue
		}
		schema, err := c.Compile("mem:///openapi.json" + pointer)
		if err != nil {
			t.Errorf("%s: %d %s: %v", d.path, r.status, kind, err)
			continue
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.body))
		must(t, err)
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s answers %s, which does not fit: %v", d.path, r.body, err)
		}
	}
	if r := h.ask("GET", "/api/openapi.json", ""); r.status != 200 || !bytes.Equal(r.body, raw) {
		t.Errorf("served: %d", r.status)
	}
	if r := h.ask("GET", "/api/openapi.yaml", ""); r.status != 200 || !strings.Contains(string(r.body), "operationId: releaseMail") {
		t.Errorf("as YAML: %d", r.status)
	}
}

func escape(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
}

package api

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write doc/openapi.json anew")

const golden = "../../doc/openapi.json"

func TestTheCommittedDocumentIsWhatTheCodeSays(t *testing.T) {
	doc, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != string(doc) {
		t.Error("doc/openapi.json is not what the code says: look at the difference that go test ./internal/api -run Document -update makes, and commit it")
	}
}

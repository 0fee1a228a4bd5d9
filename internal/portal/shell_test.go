package portal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// The frame around a page reads fields of shell; a page's own field of that name
// would be read instead. Title alone is meant to be: a page's heading says more.
func TestNoPageHidesWhatTheFrameReads(t *testing.T) {
	set := token.NewFileSet()
	pkgs, err := parser.ParseDir(set, ".", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var frame []string
	pages := map[string][]string{}
	for _, file := range pkgs["portal"].Files {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			body, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			var names []string
			framed := false
			for _, f := range body.Fields.List {
				if star, ok := f.Type.(*ast.StarExpr); ok && len(f.Names) == 0 {
					id, _ := star.X.(*ast.Ident)
					framed = framed || id != nil && id.Name == "shell"
				}
				for _, name := range f.Names {
					names = append(names, name.Name)
				}
			}
			if spec.Name.Name == "shell" {
				frame = names
			} else if framed {
				pages[spec.Name.Name] = names
			}
			return true
		})
	}
	if len(frame) < 10 || len(pages) < 20 {
		t.Fatalf("only %d fields and %d pages were found", len(frame), len(pages))
	}
	for page, names := range pages {
		for _, name := range names {
			if name != "Title" && slices.Contains(frame, name) {
				t.Errorf("%s.%s hides the frame's", page, name)
			}
		}
	}
}

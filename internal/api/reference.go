package api

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed reference.html
var referencePage string

// referred is one operation as the page for people shows it.
type referred struct {
	*huma.Operation
	About  []string // paragraphs
	Params []*huma.Param
	Body   string // name of the body's schema, or its kind
	Answer string
	Status int
}

// reference renders the document for people: a page without scripts.
func reference(doc *huma.OpenAPI) ([]byte, error) {
	type section struct {
		*huma.Tag
		Operations []referred
	}
	page := struct {
		Info     *huma.Info
		About    []string
		Prefix   string
		Sections []section
	}{doc.Info, strings.Split(strings.ReplaceAll(doc.Info.Description, "`", ""), "\n\n"), prefix, nil}
	for _, tag := range doc.Tags {
		s := section{Tag: tag}
		for _, path := range doc.Paths {
			for _, op := range []*huma.Operation{path.Get, path.Post, path.Put, path.Delete} {
				if op != nil && slices.Contains(op.Tags, tag.Name) {
					s.Operations = append(s.Operations, refer(op))
				}
			}
		}
		order := map[string]int{"GET": 0, "POST": 1, "PUT": 2, "DELETE": 3}
		slices.SortFunc(s.Operations, func(a, b referred) int {
			if c := strings.Compare(a.Path, b.Path); c != 0 {
				return c
			}
			return order[a.Method] - order[b.Method]
		})
		page.Sections = append(page.Sections, s)
	}
	t, err := template.New("reference").Parse(referencePage)
	if err != nil {
		return nil, fmt.Errorf("page of the API: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, page); err != nil {
		return nil, fmt.Errorf("page of the API: %w", err)
	}
	return b.Bytes(), nil
}

func refer(op *huma.Operation) referred {
	r := referred{Operation: op, About: strings.Split(strings.ReplaceAll(op.Description, "`", ""), "\n\n"), Params: op.Parameters, Status: op.DefaultStatus}
	if op.RequestBody != nil {
		r.Body = schemaName(op.RequestBody.Content)
	}
	if done := op.Responses[fmt.Sprint(op.DefaultStatus)]; done != nil {
		r.Answer = schemaName(done.Content)
	}
	return r
}

func schemaName(content map[string]*huma.MediaType) string {
	for kind, media := range content {
		if media.Schema != nil && media.Schema.Ref != "" {
			return media.Schema.Ref[strings.LastIndexByte(media.Schema.Ref, '/')+1:]
		}
		return kind
	}
	return ""
}

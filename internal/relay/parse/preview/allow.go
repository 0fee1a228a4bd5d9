package preview

import (
	"regexp"
	"slices"

	"github.com/microcosm-cc/bluemonday"
)

// allowList is the second wall: it knows nothing of the first, and lets through
// just what the first writes.
func allowList() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	var names []string
	for _, as := range kept {
		names = append(names, as)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	p.AllowElements(names...)
	p.AllowNoAttrs().OnElements(names...)
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^(hidden|form|center|right|link|url|picture|field)$`)).Globally()
	p.AllowAttrs("dir").Matching(regexp.MustCompile(`^(ltr|rtl)$`)).Globally()
	p.AllowAttrs("colspan", "rowspan").Matching(regexp.MustCompile(`^[0-9]{1,3}$`)).OnElements("td", "th")
	p.AllowElements("img")
	p.AllowAttrs("src").Matching(regexp.MustCompile(`^data:image/png;base64,[A-Za-z0-9+/]+=*$`)).OnElements("img")
	p.AllowAttrs("alt").OnElements("img")
	p.AllowAttrs("width", "height").Matching(regexp.MustCompile(`^[0-9]{1,4}$`)).OnElements("img")
	p.AllowDataURIImages()
	return p
}

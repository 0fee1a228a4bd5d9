package portal

import (
	"net/http"
	"strings"

	"postern/internal/mail"
	"postern/internal/replay"
)

// peoplePage lists in whose name nobody outside may write, and who tried.
type peoplePage struct {
	*shell
	May     bool
	Why     string
	People  []personRow
	Domains string // one a line
	State   replay.State
	Recent  []replay.Hit
	Given   givenPerson
}

type givenPerson struct{ Was, Name, Addresses string }

type personRow struct {
	mail.Person
	Hits int // in the last days
}

// recentHits is how many attempts the page lists.
const recentHits = 15

func (p *Portal) people(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showPeople(w, r, v, http.StatusOK, peoplePage{})
}

func (p *Portal) showPeople(w http.ResponseWriter, r *http.Request, v *visit, status int, page peoplePage) error {
	page.shell, page.May = p.shell(r, v, "People"), v.has(changers)
	rules, err := p.Store.Rules(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	page.State = p.Shelf.Book(v.tenant.ID, rules)
	edit := r.URL.Query().Get("edit")
	for _, who := range rules.People {
		row := personRow{Person: who}
		if b := page.State.Book; b != nil {
			for _, h := range b.Hits {
				if namedIn(who.Name, h.Detail) {
					row.Hits++
				}
			}
		}
		page.People = append(page.People, row)
		if edit != "" && who.Name == edit && page.Given == (givenPerson{}) {
			page.Given = givenPerson{who.Name, who.Name, strings.Join(who.Addresses, "\n")}
		}
	}
	if b := page.State.Book; b != nil {
		page.Recent = b.Hits[:min(len(b.Hits), recentHits)]
	}
	if page.Domains == "" {
		page.Domains = strings.Join(rules.Protected, "\n")
	}
	return p.render(w, status, "people", page)
}

// namedIn reports whether a finding's sentence has all words of a name.
func namedIn(name, sentence string) bool {
	sentence = strings.ToLower(sentence)
	for _, word := range strings.Fields(strings.ToLower(name)) {
		if !strings.Contains(sentence, word) {
			return false
		}
	}
	return name != ""
}

// savePeople adds, changes and removes people, and sets the protected domains.
func (p *Portal) savePeople(w http.ResponseWriter, r *http.Request, v *visit) error {
	ctx, t := r.Context(), v.tenant.ID
	g := givenPerson{r.PostFormValue("was"), r.PostFormValue("name"), r.PostFormValue("addresses")}
	page := peoplePage{Given: g}
	var err error
	switch r.PostFormValue("do") {
	case "put":
		_, err = v.PutPerson(ctx, t, g.Was, mail.Person{Name: g.Name, Addresses: lines(g.Addresses)})
	case "remove":
		_, err = v.RemovePerson(ctx, t, g.Name)
		page.Given = givenPerson{}
	case "domains":
		page.Domains, page.Given = r.PostFormValue("domains"), givenPerson{}
		_, err = v.SetProtected(ctx, t, lines(page.Domains))
	default:
		return errBad
	}
	if err != nil {
		page.Why = v.words.Wrong(err)
		return p.showPeople(w, r, v, http.StatusUnprocessableEntity, page)
	}
	return tell(w, r, "/t/"+t+"/people", "good", v.words.T("Kept. It counts for mail from now on. Undo takes it back."))
}

// lines are the entries of a text field: one a line, or with commas between.
func lines(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return strings.ContainsRune("\r\n,;", c) })
}

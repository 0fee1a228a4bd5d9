package twin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"postern/internal/twin/cmdlet"
)

// State is every object of the tenant, by noun, as the directory has it now. The
// Objects are not to be changed.
func (t *Tenant) State() map[string][]Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := make(map[string][]Object, len(t.shelves))
	for noun, shelf := range t.shelves {
		s[noun] = append([]Object{}, shelf.now()...)
	}
	return s
}

// Edit replaces the objects of the nouns given and leaves the others: what an
// administrator did by hand, or a state saved before. Nothing is checked.
func (t *Tenant) Edit(state map[string][]Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for noun, objs := range state {
		own := make([]Object, 0, len(objs))
		for _, o := range objs {
			own = append(own, o.clone())
		}
		t.put(noun, own)
	}
}

// ReadState reads a state as GET /twin/state writes it.
func ReadState(r io.Reader) (map[string][]Object, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("twin state: %w", err)
	}
	return decodeObjects[map[string][]Object](text)
}

// Change sets one property of one object by hand, past every check.
func (t *Tenant) Change(noun, identity, property string, value any) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.find(noun, identity)
	if old == nil {
		return cmdlet.NotFound(identity, server)
	}
	o := old.clone()
	o[property] = value
	if noun == "TransportRule" {
		describe(o)
	}
	t.replace(noun, old, o)
	return nil
}

// lookHandler serves /twin/: state, mailboxes, quarantine, reports and the trace.
// ?tenant= picks one; the first is the default.
func (tw *Twin) lookHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /twin/state", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, tw.asked(r).State()) })
	mux.HandleFunc("PUT /twin/state", func(w http.ResponseWriter, r *http.Request) {
		s, err := ReadState(http.MaxBytesReader(w, r.Body, 64<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		tw.asked(r).Edit(s)
		writeJSON(w, map[string]bool{"ok": true})
	})
	mux.HandleFunc("GET /twin/mailbox/{address}", func(w http.ResponseWriter, r *http.Request) {
		items := []map[string]any{}
		for _, it := range tw.Mailbox(r.PathValue("address")) {
			items = append(items, map[string]any{"folder": it.Folder, "from": it.From, "raw": string(it.Raw), "raw_base64": it.Raw, "at": it.At, "from_ip": it.FromIP, "id": it.ID})
		}
		writeJSON(w, items)
	})
	mux.HandleFunc("GET /twin/quarantine", func(w http.ResponseWriter, r *http.Request) {
		held := []map[string]any{}
		for _, h := range tw.Quarantine() {
			held = append(held, map[string]any{"identity": h.Identity, "type": h.Type, "from": h.From, "to": h.To, "subject": h.Subject, "raw": string(h.Raw), "at": h.At})
		}
		writeJSON(w, held)
	})
	mux.HandleFunc("GET /twin/ndrs", func(w http.ResponseWriter, r *http.Request) {
		out := []map[string]any{}
		for _, n := range tw.NDRs() {
			out = append(out, map[string]any{"to": n.To, "failed": n.Failed, "reply": n.Reply, "raw": string(n.Raw), "at": n.At})
		}
		writeJSON(w, out)
	})
	mux.HandleFunc("GET /twin/events", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, slices.Concat([]Event{}, tw.Events())) })
	mux.HandleFunc("PUT /twin/faults", func(w http.ResponseWriter, r *http.Request) {
		var plan []Fault
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&plan); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		tw.asked(r).Plan(plan...)
		writeJSON(w, map[string]bool{"ok": true})
	})
	mux.HandleFunc("GET /twin/sent", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, slices.Concat([]Sent{}, tw.Sent())) })
	mux.HandleFunc("GET /twin/ca.pem", func(w http.ResponseWriter, r *http.Request) { w.Write(tw.CAPEM()) })
	return mux
}

// asked is the tenant a request names.
func (tw *Twin) asked(r *http.Request) *Tenant {
	if t := tw.Tenant(strings.TrimSpace(r.URL.Query().Get("tenant"))); t != nil {
		return t
	}
	return tw.tenants[0]
}

func writeJSON(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, fmt.Sprintf("twin: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(text, '\n'))
}

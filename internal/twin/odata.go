package twin

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/twin/cmdlet"
)

// A pager remembers a listing of which only the first page was sent.
type pager struct {
	rest    []map[string]any
	size    int
	body    string // the command; a continuation has to bring the same
	cookie  string
	expires time.Time
}

// pageLife is how long a link to the next page is good (as the service's error says).
const pageLife time.Duration = 30 * time.Minute

// writeResult answers 200 with the objects and the sidecars that name their types.
func (tw *Twin) writeResult(w http.ResponseWriter, r *http.Request, t *Tenant, res Result, body []byte) {
	rows := make([]map[string]any, 0, len(res.Value))
	for _, o := range res.Value {
		rows = append(rows, wireObject(o, selected(r)))
	}
	tw.rateHeaders(w, t)
	tw.writePage(w, r, t, pager{rest: rows, size: pageSize(r), body: string(body)}, res.Warnings)
}

func selected(r *http.Request) []string {
	s := r.URL.Query().Get("$select")
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func pageSize(r *http.Request) int {
	for _, p := range strings.Split(r.Header.Get("Prefer"), ",") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(p), "odata.maxpagesize="); ok {
			if n, err := strconv.Atoi(v); err == nil && n > 0 {
				return n
			}
		}
	}
	return 1000
}

func (tw *Twin) writePage(w http.ResponseWriter, r *http.Request, t *Tenant, p pager, warnings []string) {
	out := map[string]any{
		"@odata.context":               base(r) + "/adminapi/beta/" + t.ID + "/$metadata#Collection(Exchange.GenericHashTable)",
		"adminapi.warnings@odata.type": "#Collection(String)",
		"@adminapi.warnings":           append([]string{}, warnings...),
	}
	page := p.rest
	if len(page) > p.size {
		page = page[:p.size]
		token := newGUID()
		p.rest, p.expires = p.rest[p.size:], tw.now().Add(pageLife)
		if p.cookie == "" {
			p.cookie = newGUID()
			http.SetCookie(w, &http.Cookie{Name: "exchangecookie", Value: p.cookie, Path: "/", HttpOnly: true})
		}
		t.mu.Lock()
		t.pages[token] = p
		t.mu.Unlock()
		out["@odata.nextLink"] = base(r) + r.URL.Path + "?$skiptoken=" + url.QueryEscape(token)
	}
	out["value"] = page
	w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true")
	text, err := json.Marshal(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write(text)
}

// nextPage goes on with a listing: the same body and the same server, by its cookie.
func (tw *Twin) nextPage(w http.ResponseWriter, r *http.Request, t *Tenant, token string, body []byte) {
	t.mu.Lock()
	p, ok := t.pages[token]
	delete(t.pages, token)
	t.mu.Unlock()
	c, err := r.Cookie("exchangecookie")
	if !ok || err != nil || c.Value != p.cookie || p.body != string(body) || tw.now().After(p.expires) {
		writeError(w, cmdlet.Refuse("Microsoft.Exchange.Admin.OData.Core.ODataServiceException", "Expired or Invalid pagination request. Default Expiry time is 00:30:00"))
		return
	}
	tw.writePage(w, r, t, p, nil)
}

func base(r *http.Request) string {
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// wireObject adds to each property what names its .NET type.
func wireObject(o Object, only []string) map[string]any {
	out := map[string]any{}
	for name, v := range o {
		if only != nil && !listed(only, name) {
			continue
		}
		switch v := v.(type) {
		case int:
			out[name+"@data.type"] = "System.Int32"
			out[name] = v
		case []string:
			out[name+"@odata.type"] = "#Collection(String)"
			out[name] = v
		case []Object:
			rows := []map[string]any{}
			for _, sub := range v {
				rows = append(rows, wireObject(sub, nil))
			}
			out[name+"@odata.type"] = "#Collection(Exchange.GenericHashTable)"
			out[name] = rows
		case string:
			out[name] = v
			switch {
			case slices.Contains([]string{"Guid", "ExchangeObjectId", "ImmutableId", "DlpPolicyId", "LinkForModifiedConnector", "MessageTraceId"}, name):
				out[name+"@data.type"], out[name+"@odata.type"] = "System.Guid", "#Guid"
			case strings.HasPrefix(name, "When") || slices.Contains([]string{"LastValidationTimestamp", "Received", "ReceivedTime", "ActivationDate", "ExpiryDate"}, name):
				out[name+"@data.type"] = "System.DateTime"
			}
		default:
			out[name] = v
		}
	}
	return out
}

// writeError answers with the service's error object, or with NUL octets where the
// service does.
func writeError(w http.ResponseWriter, e *cmdlet.Error) {
	if e.NUL {
		forbidden(w, "The cmdlet is not in the caller's roles.")
		return
	}
	message := e.Prefix() + "|" + e.Type + "|" + e.Message
	body := map[string]any{
		"error": map[string]any{"code": e.Code, "message": "Error executing cmdlet",
			"details": []any{map[string]any{"code": "Context", "target": "", "message": message}},
			"innererror": map[string]any{"message": "Error executing cmdlet", "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException", "stacktrace": "",
				"internalexception": map[string]any{"message": message, "type": e.Type, "stacktrace": ""}}},
		"adminapi.warnings@odata.type": "#Collection(String)", "@adminapi.warnings": []string{},
	}
	w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true")
	w.WriteHeader(e.Status)
	json.NewEncoder(w).Encode(body)
}

package login

import (
	"net/http"
	"strings"
	"time"
)

// A device is a device code flow under way (RFC 8628).
type device struct {
	app, tenant, scope, code string
	expires                  time.Time
	polls                    int
	decided, accepted        bool
}

// deviceLife is how long a user code is good (Microsoft: 15 minutes).
const deviceLife time.Duration = 15 * time.Minute

func (s *Server) deviceCode(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	id := r.PostForm.Get("client_id")
	d, f := s.directory(r.PathValue("tenant"), id)
	if f == nil {
		if a, ok := d.App(id); !ok {
			f = fault(700016, id)
		} else if !a.Public {
			f = fault(7000218, "")
		}
	}
	if f != nil {
		s.refuse(w, f)
		return
	}
	key, code := newID(), strings.ToUpper(strings.ReplaceAll(newID(), "-", "")[:9])
	s.mu.Lock()
	if s.devices == nil {
		s.devices = map[string]device{}
	}
	s.devices[key] = device{app: id, tenant: d.TenantID, scope: r.PostForm.Get("scope"), code: code, expires: s.now().Add(deviceLife)}
	s.mu.Unlock()
	answer(w, map[string]any{"user_code": code, "device_code": key, "verification_uri": base(r) + "/devicelogin", "expires_in": int(deviceLife.Seconds()), "interval": 1,
		"message": "To sign in, use a web browser to open the page " + base(r) + "/devicelogin and enter the code " + code + " to authenticate."})
}

// deviceLogin is the page where a person types the code.
func (s *Server) deviceLogin(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	if r.Method == http.MethodGet {
		show(w, http.StatusOK, view{Title: "Enter code", Text: "Enter the code displayed on your app or device.", Fields: map[string]string{"from": "device"}, Code: true})
		return
	}
	if !s.decide(strings.ToUpper(strings.TrimSpace(r.PostForm.Get("otc"))), r.PostForm.Get("decision") != "cancel") {
		show(w, http.StatusBadRequest, view{Title: "Enter code", Text: "That code didn't work. Check the code and try again."})
		return
	}
	show(w, http.StatusOK, view{Title: "You have signed in", Text: "You may now close this window."})
}

func (s *Server) decide(code string, accepted bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, v := range s.devices {
		if v.code == code && !v.decided && s.now().Before(v.expires) {
			v.decided, v.accepted = true, accepted
			s.devices[key] = v
			return true
		}
	}
	return false
}

// pollDevice answers one poll. Unless a person is asked, the second one finds the
// code approved, so that clients meet authorization_pending.
func (s *Server) pollDevice(r *http.Request, d *Directory, a App) (map[string]any, *Fault) {
	key := r.PostForm.Get("device_code")
	s.mu.Lock()
	v, ok := s.devices[key]
	if ok {
		v.polls++
		if !s.Ask && v.polls > 1 && !v.decided {
			v.decided, v.accepted = true, true
		}
		s.devices[key] = v
		if v.decided {
			delete(s.devices, key)
		}
	}
	s.mu.Unlock()
	switch {
	case !ok || !strings.EqualFold(v.app, a.ClientID) || v.tenant != d.TenantID, s.now().After(v.expires):
		return nil, fault(70020, "")
	case !v.decided:
		return nil, fault(70016, "")
	}
	u, found := d.User("")
	if !v.accepted || !found || u.Denies {
		return nil, fault(70018, "")
	}
	return s.userToken(r, d, a, u, v.scope)
}

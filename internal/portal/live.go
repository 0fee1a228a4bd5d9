package portal

import (
	"context"
	"net/http"
	"time"
)

// sessionLook is how often a stream looks whether its session goes on: a session
// that is ended is to be over everywhere within 5 s (safety.md R42).
const sessionLook = 2 * time.Second

// whileSignedIn ends what stays open when the visitor's session ends or changes its
// token; the browser asks again then, and is let in or not. Looking on keeps no
// session alive.
func (p *Portal) whileSignedIn(handle func(http.ResponseWriter, *http.Request, *visit) error) func(http.ResponseWriter, *http.Request, *visit) error {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		go func() {
			defer cancel()
			tick := time.NewTicker(sessionLook)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				if _, u, err := v.StillIn(ctx, v.session.Hash); err != nil || u.Role != v.user.Role || u.Tenant != v.user.Tenant {
					return
				}
			}
		}()
		return handle(w, r.WithContext(ctx), v)
	}
}

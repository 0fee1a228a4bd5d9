package admit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"postern/internal/mail"
)

// A Marker signs hop marks. A mark says "this message passed us for this tenant";
// it is bound to the Message-ID so that it cannot be pasted into other mail.
type Marker struct {
	Key [32]byte // HMAC key, the same on all nodes
}

// Mark is the value of the hop header for the pass-th time (from 1) that the
// message with this Message-ID leaves for the tenant.
func (m Marker) Mark(tenant, messageID string, pass int) string {
	return fmt.Sprintf("v1; n=%d; mac=%s", pass, m.mac(tenant, messageID, pass))
}

func (m Marker) mac(tenant, messageID string, pass int) string {
	h := hmac.New(sha256.New, m.Key[:])
	fmt.Fprintf(h, "hop\x00%s\x00%s\x00%d", tenant, messageID, pass)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// passes is the highest pass that a genuine mark among hops tells of, 0 if none.
func (m Marker) passes(hops []string, tenant mail.Tenant, messageID string) int {
	seen := 0
	for _, hop := range hops {
		var n int
		var mac string
		for part := range strings.SplitSeq(hop, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch name {
			case "n":
				n, _ = strconv.Atoi(value)
			case "mac":
				mac = value
			}
		}
		if n > seen && hmac.Equal([]byte(mac), []byte(m.mac(tenant.ID, messageID, n))) {
			seen = n
		}
	}
	return seen
}

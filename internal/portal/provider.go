package portal

import "net/http"

func (p *Portal) providerName(r *http.Request) (string, error) { return "", nil }

package login

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// A Fault is an error of the identity platform.
type Fault struct {
	Status int    // HTTP
	Error  string // OAuth error code
	Code   int    // AADSTS number
	Text   string
	Sub    string // suberror
}

// fault is one of the errors that people meet, in Microsoft's words.
func fault(code int, detail string) *Fault {
	f := &Fault{Status: 400, Error: "invalid_grant", Code: code}
	switch code {
	case 90002:
		f.Error, f.Text = "invalid_request", "Tenant '"+detail+"' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
	case 900023:
		f.Error, f.Text = "invalid_request", "Specified tenant identifier '"+detail+"' is neither a valid DNS name, nor a valid external domain."
	case 700016:
		f.Error, f.Text = "unauthorized_client", "Application with identifier '"+detail+"' was not found in the directory. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
	case 7000215:
		f.Status, f.Error, f.Text = 401, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '"+detail+"'."
	case 7000222:
		f.Status, f.Error, f.Text = 401, "invalid_client", "The provided client secret keys for app '"+detail+"' are expired. Visit the Azure portal to create new keys for your app."
	case 7000218:
		f.Status, f.Error, f.Text = 401, "invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
	case 700023:
		f.Status, f.Error, f.Text = 401, "invalid_client", "Client assertion audience claim does not match Realm issuer. Received '"+detail+"'."
	case 700024:
		f.Status, f.Error, f.Text = 401, "invalid_client", "Client assertion is not within its valid time range. Expired at "+detail+"."
	case 700027:
		f.Status, f.Error, f.Text = 401, "invalid_client", "The certificate with identifier used to sign the client assertion is not registered on application. "+detail
	case 65001:
		f.Text, f.Sub = "The user or administrator has not consented to use the application with ID '"+detail+"'. Send an interactive authorization request for this user and resource.", "consent_required"
	case 50076:
		f.Text, f.Sub = "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '00000002-0000-0ff1-ce00-000000000000'.", "basic_action"
	case 53003:
		f.Text, f.Sub = "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.", "message_only"
	case 50126:
		f.Text = "Error validating credentials due to invalid username or password."
	case 50034:
		f.Text = "The user account " + detail + " does not exist in the directory."
	case 700082:
		f.Text = "The refresh token has expired due to inactivity. The token was issued on " + detail + " and was inactive for 90.00:00:00."
	case 50173:
		f.Text = "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password."
	case 54005:
		f.Text = "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token."
	case 70008:
		f.Text = "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource."
	case 501481:
		f.Text = "The Code_Verifier does not match the code_challenge supplied in the authorization request."
	case 50011:
		f.Error, f.Text = "invalid_request", "The redirect URI '"+detail+"' specified in the request does not match the redirect URIs configured for the application."
	case 70016:
		f.Error, f.Text = "authorization_pending", "OAuth 2.0 device flow error. Authorization is pending. Continue polling."
	case 70020:
		f.Error, f.Text = "expired_token", "The provided device code has expired."
	case 70018:
		f.Error, f.Text = "authorization_declined", "The user declined the request."
	case 70011:
		f.Error, f.Text = "invalid_scope", "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope "+detail+" is not valid."
	case 900144:
		f.Error, f.Text = "invalid_request", "The request body must contain the following parameter: '"+detail+"'."
	case 70003:
		f.Error, f.Text = "unsupported_grant_type", "The app requested an unsupported grant type '"+detail+"'."
	case 7000112:
		f.Error, f.Text = "unauthorized_client", "Application '"+detail+"' is disabled."
	default:
		f.Text = "Sign-in failed. " + detail
	}
	return f
}

func (f *Fault) description(now time.Time, trace string) string {
	return fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", f.Code, f.Text, trace, trace, now.UTC().Format("2006-01-02 15:04:05Z"))
}

func (s *Server) refuse(w http.ResponseWriter, f *Fault) {
	trace := newID()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(f.Status)
	body := map[string]any{"error": f.Error, "error_description": f.description(s.now(), trace), "error_codes": []int{f.Code}, "timestamp": s.now().UTC().Format("2006-01-02 15:04:05Z"),
		"trace_id": trace, "correlation_id": trace, "error_uri": fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", f.Code)}
	if f.Sub != "" {
		body["suberror"] = f.Sub
	}
	json.NewEncoder(w).Encode(body)
}

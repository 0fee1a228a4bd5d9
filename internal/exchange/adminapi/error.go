package adminapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// An Error is Exchange's refusal of one call, or the lack of a usable answer.
type Error struct {
	Cmdlet      string
	Status      int           // of HTTP; 0 if no answer came
	Code        string        // error.code: "NotFound", "BadRequest" ...
	Type        string        // .NET type of the exception, "" if unknown
	Text        string        // the best text there was, without prefix
	Diagnostics string        // reason in x-ms-diagnostics
	RequestID   string        // for Microsoft's support
	RetryAfter  time.Duration // asked for by the server; 0 if it did not say
	Err         error         // transport error, if any
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Cmdlet)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": HTTP %d", e.Status)
	}
	for _, s := range []string{e.Text, e.Diagnostics} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request-id %s)", e.RequestID)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// NotFound reports that the object does not exist (yet, since reads may lag).
func (e *Error) NotFound() bool {
	return e.Status == http.StatusNotFound || strings.Contains(e.Type, "ManagementObjectNotFoundException") ||
		strings.Contains(e.Text, "couldn't be found on")
}

// Exists reports that an object of this name is there already.
func (e *Error) Exists() bool {
	return e.Status == http.StatusBadRequest && (strings.Contains(e.Type, "AlreadyExists") || existsText.MatchString(e.Text))
}

var existsText = regexp.MustCompile(`(?i)already (exists|in use)|is already being used|duplicate`)

// Denied reports that the caller's roles do not allow the cmdlet.
func (e *Error) Denied() bool {
	return e.Status == http.StatusForbidden || strings.Contains(e.Type, "CommandNotFound") ||
		strings.Contains(e.Text, "is not recognized as the name of a cmdlet") || strings.Contains(e.Text, "role definition of the current user")
}

// Throttled reports that the call was not started because there are too many.
func (e *Error) Throttled() bool { return e.Status == http.StatusTooManyRequests }

// Temporary reports that the same call may succeed later. Except after 429 it may
// also have been carried out already.
func (e *Error) Temporary() bool {
	switch e.Status {
	case 0, http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return !strings.Contains(e.Type, "Exchange.Configuration") // a cmdlet's own verdict, wrapped in a 500
	}
	return false
}

type errorBody struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Details []struct {
			Message string `json:"message"`
		} `json:"details"`
		Inner struct {
			Internal struct {
				Message string `json:"message"`
				Type    string `json:"type"`
			} `json:"internalexception"`
		} `json:"innererror"`
	} `json:"error"`
}

var (
	exPrefix   = regexp.MustCompile(`^Ex[0-9A-F]{6}\|([^|]*)\|`)
	diagReason = regexp.MustCompile(`reason="([^"]*)"`)
)

// readError makes an Error of an answer other than 200. The body may be JSON, a
// run of NUL octets (403 without a directory role) or empty.
func readError(cmdlet string, resp *http.Response, body []byte, now time.Time) *Error {
	e := &Error{Cmdlet: cmdlet, Status: resp.StatusCode, RequestID: resp.Header.Get("request-id")}
	if m := diagReason.FindStringSubmatch(resp.Header.Get("x-ms-diagnostics")); m != nil {
		e.Diagnostics = m[1]
	}
	e.RetryAfter = retryAfter(resp.Header, now)
	var doc errorBody
	if json.Unmarshal(bytes.Trim(body, "\x00"), &doc) != nil {
		return e
	}
	e.Code = doc.Error.Code
	e.Type, e.Text = doc.Error.Inner.Internal.Type, doc.Error.Inner.Internal.Message
	if e.Text == "" && len(doc.Error.Details) > 0 {
		e.Text = doc.Error.Details[0].Message
	}
	if e.Text == "" {
		e.Text = doc.Error.Message
	}
	e.unwrapText()
	return e
}

// unwrapText takes the "ExHHHHHH|type|" prefix off, and a text that is itself
// JSON apart.
func (e *Error) unwrapText() {
	if m := exPrefix.FindStringSubmatch(e.Text); m != nil {
		e.Text = e.Text[len(m[0]):]
		if e.Type == "" {
			e.Type = m[1]
		}
	}
	var inner struct{ Message, TypeName string }
	if strings.HasPrefix(e.Text, "{") && json.Unmarshal([]byte(e.Text), &inner) == nil && inner.Message != "" {
		e.Text = inner.Message
		if e.Type == "" {
			e.Type = inner.TypeName
		}
	}
}

func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if d, err := time.ParseDuration(v + "s"); err == nil && d >= 0 {
		return d
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}

package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"postern/internal/admin"
	"postern/internal/exchange"
	"postern/internal/mail"
	"postern/internal/store"
)

// problem is an answer other than what was asked for (RFC 9457): text is a
// sentence that names the thing and the mend.
func problem(status int, text string) *huma.ErrorModel {
	return &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: text}
}

// failed is a fault of ours, told with the number under which the log tells more.
func failed(id string) *huma.ErrorModel {
	p := problem(http.StatusInternalServerError, "Something went wrong here; nothing is known to be changed. The log tells more under the number in instance.")
	p.Instance = "urn:postern:request:" + id
	return p
}

func write(w http.ResponseWriter, p *huma.ErrorModel) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client may have gone
}

// errNothing is the answer for what is not there, and for what is another tenant's.
var errNothing = problem(http.StatusNotFound, "There is no such thing, or it is not for this token.")

// said are sentences in English, never null.
func said(list []mail.Sentence) []string {
	texts := []string{}
	for _, s := range list {
		texts = append(texts, s.String())
	}
	return texts
}

// refused makes an error of admin, which is written for people, an answer. What
// the caller can do nothing about stays an error.
func refused(err error) error {
	var known *huma.ErrorModel
	var p *exchange.Problem
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, store.ErrFailed), errors.Is(err, store.ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, store.ErrNotFound):
		return errNothing
	case errors.Is(err, store.ErrExists), errors.Is(err, admin.ErrBusy):
		return problem(http.StatusConflict, admin.Sentence(err))
	case errors.Is(err, admin.ErrNotConnected):
		return problem(http.StatusConflict, "This tenant is not connected to Exchange. Connect it first.")
	case errors.As(err, &p):
		return problem(http.StatusBadGateway, p.Error())
	}
	return problem(http.StatusUnprocessableEntity, admin.Sentence(err))
}

// plainProblem makes what huma says about a request that does not fit the document
// a sentence, and takes out what the caller sent: it could be a secret.
func plainProblem(_ huma.Context, _ string, v any) (any, error) {
	p, ok := v.(*huma.ErrorModel)
	if !ok || len(p.Errors) == 0 {
		return v, nil
	}
	told := *p
	told.Errors = nil
	for _, e := range p.Errors {
		if e != nil {
			told.Errors = append(told.Errors, &huma.ErrorDetail{Message: e.Message, Location: e.Location})
		}
	}
	if len(told.Errors) > 0 {
		told.Detail = "The request does not fit the document: " + told.Errors[0].Location + ": " + told.Errors[0].Message + "."
	}
	return &told, nil
}

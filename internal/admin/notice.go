package admin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"postern/internal/mail"
	"postern/internal/notice"
	"postern/internal/store"
	"postern/internal/webhook"
)

const mostReceivers = 20

// AddReceiver adds somebody who is told of a tenant's alarms: to is an e-mail
// address or the https address of a program. A program gets a secret, with which
// notices to it are signed; it is shown this once.
func (a *Admin) AddReceiver(ctx context.Context, tenant, to string, topics []string, system bool) (r notice.Receiver, secret string, err error) {
	r = notice.Receiver{ID: string(mail.NewID()), Topics: topics, System: system, Added: a.now().Unix()}
	to = strings.TrimSpace(to)
	for _, t := range topics {
		if !slices.Contains(notice.Topics(), t) {
			return r, "", mail.Refuse("%q is no topic of alarms: there are %s", t, words(notice.Topics()))
		}
	}
	if strings.Contains(to, "://") {
		secret = rand.Text() + rand.Text()
		e := webhook.Endpoint{URL: to, Secret: []byte(secret)}
		if err := e.Check(); err != nil {
			return r, "", err
		}
		r.URL = to
	} else if r.Address, err = readAddress(to); err != nil {
		return r, "", err
	}
	if secret != "" {
		if err := a.putSealed(ctx, tenant, noticeSecret(r.ID), []byte(secret)); err != nil {
			return r, "", err
		}
	}
	err = a.changeReceivers(ctx, tenant, func(all []notice.Receiver) ([]notice.Receiver, error) {
		if len(all) >= mostReceivers {
			return nil, mail.Refuse("%d are told already: use a distribution list", mostReceivers)
		}
		if slices.ContainsFunc(all, func(o notice.Receiver) bool { return strings.EqualFold(o.Address+o.URL, r.Address+r.URL) }) {
			return nil, mail.Refuse("this one is told already: remove it first to choose other topics")
		}
		return append(all, r), nil
	})
	if err != nil {
		return r, "", err
	}
	return r, secret, a.note(ctx, tenant, "notice.add", r.ID, "", clipped(r))
}

// RemoveReceiver ends the notices to one.
func (a *Admin) RemoveReceiver(ctx context.Context, tenant, id string) error {
	var gone notice.Receiver
	err := a.changeReceivers(ctx, tenant, func(all []notice.Receiver) ([]notice.Receiver, error) {
		i := slices.IndexFunc(all, func(r notice.Receiver) bool { return r.ID == id })
		if i < 0 {
			return nil, mail.Refuse("this receiver is gone already")
		}
		gone = all[i]
		return slices.Delete(all, i, i+1), nil
	})
	if err == nil && gone.URL != "" {
		err = a.Store.PutSetting(ctx, tenant, noticeSecret(id), nil)
	}
	if err != nil {
		return err
	}
	return a.note(ctx, tenant, "notice.remove", id, clipped(gone), "")
}

// ReceiverSecret is what notices to a program are signed with.
func (a *Admin) ReceiverSecret(ctx context.Context, tenant, id string) ([]byte, error) {
	return a.sealed(ctx, tenant, noticeSecret(id))
}

func noticeSecret(id string) string { return "notices.secret." + id }

// changeReceivers changes the list unless somebody else does at the same moment.
func (a *Admin) changeReceivers(ctx context.Context, tenant string, change func([]notice.Receiver) ([]notice.Receiver, error)) error {
	was, err := a.Store.Setting(ctx, tenant, notice.Setting)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	all, err := notice.Receivers(ctx, a.Store, tenant)
	if err != nil {
		return err
	}
	if all, err = change(all); err != nil {
		return err
	}
	body, err := json.Marshal(all)
	if err != nil {
		return err
	}
	swapped, err := a.Store.SwapSetting(ctx, tenant, notice.Setting, was, body)
	if err == nil && !swapped {
		err = mail.Refuse("somebody else changed it at the same moment: look again, then repeat it")
	}
	return err
}

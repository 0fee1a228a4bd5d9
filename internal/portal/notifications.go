package portal

import (
	"net/http"
	"slices"

	notices "postern/internal/notice"
)

// notificationsPage lists who is told of which alarms.
type notificationsPage struct {
	*shell
	May       bool
	Why       string
	Receivers []notices.Receiver
	Topics    []topicBox
	OfAll     bool   // may choose alarms of the whole installation
	Secret    string // of the one just added, shown once
	Given     string
}

type topicBox struct {
	Topic, Text string
	Ticked      bool
}

func (p *Portal) notifications(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showNotifications(w, r, v, http.StatusOK, notificationsPage{})
}

func (p *Portal) showNotifications(w http.ResponseWriter, r *http.Request, v *visit, status int, page notificationsPage) error {
	page.shell, page.May, page.OfAll = p.shell(r, v, "Notifications"), v.has(changers), v.user.Tenant == ""
	all, err := notices.Receivers(r.Context(), p.Store, v.tenant.ID)
	if err != nil {
		return err
	}
	page.Receivers = all
	_ = r.ParseForm() // an unreadable form ticks nothing
	for _, topic := range notices.Topics() {
		ticked := len(r.PostForm["topic"]) == 0 || slices.Contains(r.PostForm["topic"], topic)
		page.Topics = append(page.Topics, topicBox{topic, v.topicWords(topic), ticked})
	}
	return p.render(w, status, "notifications", page)
}

// topicWords say what a topic is about.
func (v *visit) topicWords(topic string) string {
	t := v.words.T
	switch topic {
	case "mail":
		return t("Mail that cannot be judged or delivered")
	case "keys":
		return t("Relay keys that are wrong or retired")
	case "exchange":
		return t("Exchange is not as it was set up, or mail passes the relay by")
	case "policies":
		return t("A change of policies was taken back, or a bypass is on")
	case "recipients":
		return t("Recipients ask for held mail, or their digests fail")
	}
	return t("The relay itself: certificate, storage")
}

// changeNotifications adds, removes and tries receivers.
func (p *Portal) changeNotifications(w http.ResponseWriter, r *http.Request, v *visit) error {
	ctx, t, to := r.Context(), v.tenant.ID, "/t/"+v.tenant.ID+"/notifications"
	if err := r.ParseForm(); err != nil {
		return errBad
	}
	switch r.PostFormValue("do") {
	case "add":
		topics := r.PostForm["topic"]
		if len(topics) == len(notices.Topics()) {
			topics = nil // all, also those that come later
		}
		_, secret, err := v.AddReceiver(ctx, t, r.PostFormValue("to"), topics, r.PostFormValue("system") != "" && v.user.Tenant == "")
		if err != nil {
			return p.showNotifications(w, r, v, http.StatusUnprocessableEntity, notificationsPage{Why: v.words.Wrong(err), Given: r.PostFormValue("to")})
		}
		if secret != "" {
			return p.showNotifications(w, r, v, http.StatusOK, notificationsPage{Secret: secret})
		}
		return tell(w, r, to, "good", v.words.T("Added. Send a test to see that it arrives."))
	case "remove":
		if err := v.RemoveReceiver(ctx, t, r.PostFormValue("id")); err != nil {
			return p.showNotifications(w, r, v, http.StatusUnprocessableEntity, notificationsPage{Why: v.words.Wrong(err)})
		}
		return tell(w, r, to, "good", v.words.T("Removed."))
	case "test":
		return p.testNotification(w, r, v)
	}
	return errBad
}

func (p *Portal) testNotification(w http.ResponseWriter, r *http.Request, v *visit) error {
	all, err := notices.Receivers(r.Context(), p.Store, v.tenant.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(o notices.Receiver) bool { return o.ID == r.PostFormValue("id") })
	if i < 0 {
		return errMissing
	}
	to := "/t/" + v.tenant.ID + "/notifications"
	if err := p.TellNow(r.Context(), v.tenant.ID, all[i]); err != nil {
		return tell(w, r, to, "bad", v.words.T("The test could not be sent: %s", v.words.Wrong(err)))
	}
	if all[i].URL != "" {
		return tell(w, r, to, "good", v.words.T("The program took the test."))
	}
	return tell(w, r, to, "good", v.words.T("The test is on its way. Look into the mailbox, also into its junk folder."))
}

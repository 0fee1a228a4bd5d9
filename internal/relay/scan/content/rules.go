package content

import "postern/internal/mail"

// rules say what topics mean together. No single everyday phrase is enough to
// hold a message; fraud shows by what it combines.
var rules = []rule{
	// Credential phishing: a threat or an errand, something of the reader's, and a
	// place to go.
	{name: "phish.threat", class: mail.Phish, score: 35, more: 3, most: 60, all: []topicName{"account", "threat", "verify"}, links: true,
		says: "says that something is wrong with an account and wants it to be confirmed"},
	{name: "phish.pressure", class: mail.Phish, score: 20, all: []topicName{"account", "threat", "deadline"}, any: []topicName{"click", "verify"}, links: true,
		says: "threatens with what happens to an account and sets a time"},
	{name: "phish.verify", class: mail.Phish, score: 15, all: []topicName{"account", "verify"}, any: []topicName{"click", "deadline"}, links: true,
		says: "wants an account to be confirmed by a link"},
	{name: "phish.mailbox", class: mail.Phish, score: 30, more: 6, most: 60, least: 2, all: []topicName{"mailbox"}, any: []topicName{"verify", "threat", "deadline", "password"}, links: true,
		says: "speaks of trouble with the mailbox and wants something done about it"},
	{name: "phish.password", class: mail.Phish, score: 30, more: 5, most: 50, all: []topicName{"password", "deadline"}, any: []topicName{"click", "verify", "mailbox", "account"}, links: true,
		says: "says that a password ends and asks to keep or renew it"},
	{name: "phish.keep", class: mail.Phish, score: 40, all: []topicName{"keep"}, links: true,
		says: "offers to keep a password by a link, which no honest administrator does"},
	{name: "phish.payment", class: mail.Phish, score: 25, more: 4, most: 45, least: 3, all: []topicName{"bill", "account"}, any: []topicName{"verify", "threat", "deadline"}, links: true,
		says: "says that a payment failed and asks for payment details"},
	{name: "phish.parcel", class: mail.Phish, score: 25, more: 5, most: 45, least: 2, all: []topicName{"parcel"}, any: []topicName{"verify", "deadline", "bill"}, links: true, short: 6000,
		says: "says that a parcel waits and asks for a fee or an address"},
	{name: "phish.wallet", class: mail.Phish, score: 40, more: 5, most: 70, least: 2, all: []topicName{"wallet"}, any: []topicName{"verify", "threat", "deadline", "click"}, links: true,
		says: "is after the keys of a crypto wallet"},
	{name: "phish.document", class: mail.Phish, score: 15, all: []topicName{"document"}, any: []topicName{"verify", "deadline", "password"}, links: true, short: 3000,
		says: "leads to a document behind a sign-in"},

	// Business e-mail compromise.
	{name: "bec.giftcard", class: mail.Phish, score: 40, more: 5, most: 70, all: []topicName{"giftcard", "favour"}, short: 3000,
		says: "asks for gift cards as a favour"},
	{name: "bec.task", class: mail.Phish, score: 25, more: 5, most: 45, least: 3, all: []topicName{"favour", "urgent"}, short: 1200, not: []topicName{"remove"},
		says: "asks for an urgent and secret favour without saying what"},
	{name: "bec.bank", class: mail.Phish, score: 25, more: 10, most: 60, all: []topicName{"bankchange"}, any: []topicName{"favour", "urgent"}, least: 2, short: 4000, not: []topicName{"remove"},
		says: "asks to pay to another bank account"},

	// Extortion.
	{name: "extortion", class: mail.Phish, score: 50, more: 5, most: 90, all: []topicName{"bitcoin", "spied"}, any: []topicName{"ransom"}, least: 4,
		says: "threatens to publish something unless bitcoin is paid"},
	{name: "extortion.hint", class: mail.Phish, score: 25, all: []topicName{"bitcoin", "spied"}, least: 3,
		says: "speaks of spying and of bitcoin"},

	// Advance fee fraud.
	{name: "advance", class: mail.Phish, score: 30, more: 6, most: 90, all: []topicName{"fortune", "stranger"}, least: 5, not: []topicName{"goods"}, short: 12000,
		says: "is a stranger's tale of a fortune to be had"},
	{name: "advance.place", class: mail.Phish, score: 15, all: []topicName{"fortune", "stranger", "nigeria"}, least: 4,
		says: "is a stranger's tale of a fortune from far away"},

	// Callback scams: an invoice nobody owes, and a number to call.
	{name: "callback", class: mail.Phish, score: 20, more: 5, most: 60, all: []topicName{"purchase", "call"}, least: 5, short: 5000, not: []topicName{"remove"},
		says: "tells of a purchase that can only be undone by a call"},

	// Classic spam.
	{name: "spam.pharma", class: mail.Spam, score: 25, more: 12, most: 70, all: []topicName{"pharma"}, says: "offers medicines"},
	{name: "spam.diet", class: mail.Spam, score: 18, more: 10, most: 60, all: []topicName{"diet"}, says: "promises slimness or youth"},
	{name: "spam.adult", class: mail.Spam, score: 15, more: 12, most: 70, all: []topicName{"adult"}, says: "offers pornography or company"},
	{name: "spam.gamble", class: mail.Spam, score: 15, more: 12, most: 60, all: []topicName{"gamble"}, says: "invites to gambling"},
	{name: "spam.loan", class: mail.Spam, score: 20, more: 10, most: 60, all: []topicName{"loan"}, says: "offers loans or insurance"},
	{name: "spam.riches", class: mail.Spam, score: 12, more: 10, most: 70, all: []topicName{"riches"}, says: "promises easy money"},
	{name: "spam.mailer", class: mail.Spam, score: 20, more: 12, most: 60, all: []topicName{"mailer"}, says: "offers addresses, advertising or web design"},
	{name: "spam.goods", class: mail.Spam, score: 18, more: 12, most: 60, all: []topicName{"goods"}, says: "offers goods that are sold by spam"},
	{name: "spam.survey", class: mail.Spam, score: 12, more: 10, most: 50, all: []topicName{"survey"}, says: "promises a prize"},
	{name: "spam.hype", class: mail.Spam, score: 10, more: 6, most: 40, least: 3, all: []topicName{"hype"}, says: "advertises loudly"},
	{name: "spam.remove", class: mail.Spam, score: 12, more: 5, most: 30, all: []topicName{"remove"}, letter: true, says: "explains how to be left alone, though it is no newsletter"},
	{name: "spam.excuse", class: mail.Spam, score: 25, more: 10, most: 50, all: []topicName{"excuse"}, any: []topicName{"remove", "hype"}, letter: true, says: "claims not to be spam"},
	{name: "spam.form", class: mail.Spam, score: 12, more: 5, most: 30, least: 2, all: []topicName{"form"}, any: []topicName{"hype", "remove"}, says: "is an order form"},
}

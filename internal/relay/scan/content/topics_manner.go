package content

var mannerTopics = []topic{
	{"survey", `
		you have been selected
		you've been selected
		you have been chosen
		you've been chosen
		you are a winner
		you're a winner
		claim your
		claim now
		claim it
		your reward
		exclusive reward
		reward is waiting
		your prize
		your gift
		free gift
		free sample
		free iphone
		free ipad
		take our survey
		take this survey
		complete the survey
		short survey
		quick survey
		30-second survey
		loyalty program
		your chance to win
		chance to receive
		sie haben gewonnen
		sie wurden ausgewahlt
		gewinner
		gluckwunsch
		vous avez gagne
		vous avez ete selectionne
		felicitations
		has ganado
		ha ganado
		ha sido seleccionado
		felicidades`},
	{"hype", `
		act now
		act fast
		don't delay
		do not delay
		don't miss
		limited time
		limited time offer
		limited offer
		limited supply
		while supplies last
		order now
		order today
		buy now
		call now
		call today
		call toll free
		toll free
		apply now
		apply today
		sign up today
		join today
		join now
		risk free
		risk-free
		no risk
		no obligation
		no cost
		no catch
		no gimmicks
		no strings
		no purchase necessary
		no hidden
		absolutely free
		totally free
		100% free
		completely free
		free trial
		free access
		free membership
		free information
		free quote*
		free consultation
		money back
		money-back
		satisfaction guaranteed
		100% satisfaction
		100% guaranteed
		guaranteed
		special offer
		special promotion
		exclusive offer
		great offer
		amazing offer
		unbelievable
		miracle
		as seen on
		save up to
		save big
		save thousands
		lowest price*
		best price*
		rock bottom
		bargain
		why pay more
		what are you waiting for
		$$$
		!!!
		click here
		visa or mastercard
		credit cards accepted
		fill out the form
		complete the form
		fantastic
		breakthrough
		revolutionary
		nur heute
		jetzt bestellen
		offre limitee
		offre speciale
		oferta especial
		oferta limitada`},
	{"remove", `
		be removed from our
		removed from our
		removed from future
		removed from this
		removed from the list
		to be removed
		to remove yourself
		remove yourself
		remove your email
		remove your e-mail
		remove your name
		remove your address
		remove me
		remove in the subject
		with remove in
		word remove
		type remove
		removal instructions
		for removal
		unsubscribe
		opt out
		opt-out
		opted in
		opt-in
		you are receiving this
		you received this
		you have received this
		receiving this email because
		future mailings
		further mailings
		our mailings
		our mailing list
		further emails
		future emails
		further e-mails
		one time mailing
		one-time mailing
		one time email
		not receive
		not wish to receive
		no longer wish
		wish to receive
		rather not receive
		stop receiving
		email in error
		this advertisement
		abmelden
		se desinscrire
		desabonner
		darse de baja`},
	{"excuse", `
		this is not spam
		not spam
		not unsolicited
		is not considered spam
		cannot be considered spam
		can not be considered spam
		in compliance with
		s. 1618
		s.1618
		bill 1618
		title iii
		section 301
		105th congress
		we don't want anyone
		does not wish to receive
		who does not wish
		one of our partners
		marketing partner*
		if this reached you in error
		this is a one time
		this is a one-time
		never be contacted
		will not be contacted
		will be honored
		removed immediately
		removed within`},
	{"form", `
		city state
		city, state
		address city
		zip code
		state zip
		best time to call
		best time to
		phone number
		day phone
		home phone
		evening phone
		work phone
		card number
		expiration date
		exp date
		name on card
		amount of
		please fill
		please print
		fax to
		by fax
		mail to
		make checks payable
		check or money order
		money order
		payable to`},
}

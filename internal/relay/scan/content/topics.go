package content

import "strings"

type topicName string

// A topic is one thing a text may speak of, in several languages: phrases in
// lower case without accents, as scan.Fold gives them, one a line. "*" at the end
// of one stands for any ending.
type topic struct {
	name topicName
	text string
}

func (t topic) phrases() []string {
	var out []string
	for line := range strings.Lines(t.text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

var topicAt = func() map[topicName]int {
	m := make(map[topicName]int)
	for i, t := range topics {
		m[t.name] = i
	}
	return m
}()

// topicIndex panics for a name that is not in topics; a test names each.
func topicIndex(name topicName) int {
	i, ok := topicAt[name]
	if !ok {
		panic("content: no topic " + string(name))
	}
	return i
}

var topics = []topic{
	// Credential phishing.
	{"account", `
		your account
		your paypal
		your amazon account
		your apple id
		your netflix
		your profile
		your membership
		your subscription
		your wallet
		your e-mail account
		your email account
		your mail account
		your online banking
		your bank account
		your card
		dear customer
		dear user
		dear client
		dear account
		valued customer
		account holder
		account owner
		account user
		ihr konto
		ihres kontos
		ihrem konto
		ihre karte
		ihr kundenkonto
		ihr online-banking
		sehr geehrter kunde
		sehr geehrte kundin
		lieber kunde
		liebe kundin
		votre compte
		votre carte
		votre abonnement
		cher client
		chere cliente
		su cuenta
		tu cuenta
		su tarjeta
		estimado cliente
		estimado usuario
		sua conta
		prezado cliente
		caro cliente`},
	{"threat", `
		has been suspended
		has been temporarily suspended
		has been limited
		has been locked
		has been blocked
		has been disabled
		has been deactivated
		has been restricted
		has been placed on hold
		have been suspended
		is suspended
		is on hold
		will be suspended
		will be closed
		will be locked
		will be blocked
		will be terminated
		will be deleted
		will be deactivated
		will be disabled
		will be limited
		will be restricted
		temporarily suspended
		temporarily locked
		temporarily limited
		permanently closed
		permanent suspension
		account suspension
		account limitation
		account termination
		avoid suspension
		avoid interruption
		avoid service interruption
		avoid losing
		to avoid any
		loss of access
		lose access
		unusual activity
		unusual sign-in
		unusual sign in
		unusual login
		suspicious activity
		suspicious login
		suspicious sign-in
		unauthorized access
		unauthorised access
		unauthorized transaction
		unauthorized login
		unauthorized activity
		unrecognized device
		unknown device
		new device
		security breach
		access will be
		limited access
		deactivation request
		closure of your
		termination of your
		wurde gesperrt
		wurde eingeschrankt
		wurde vorubergehend
		wird gesperrt
		wird eingeschrankt
		werden gesperrt
		ungewohnliche aktivitat*
		verdachtige aktivitat*
		sperrung
		gesperrt
		eingeschrankt
		a ete suspendu
		a ete bloque
		a ete limite
		sera suspendu
		sera bloque
		sera desactive
		activite inhabituelle
		activite suspecte
		ha sido suspendida
		ha sido bloqueada
		ha sido limitada
		sera suspendida
		sera bloqueada
		actividad inusual
		actividad sospechosa
		sera bloqueado
		foi bloqueada
		sera cancelada`},
	{"verify", `
		verify your
		verify account
		verify now
		verify it
		verify my
		verification required
		complete verification
		complete the verification
		confirm your
		confirm account
		confirm now
		confirm my
		confirm ownership
		validate your
		validate now
		re-validate
		revalidate
		update your
		update now
		update my
		update account
		upgrade your account
		restore your
		restore access
		restore account
		reactivate
		re-activate
		re-confirm
		reconfirm
		unlock your
		unlock account
		keep same password
		keep my password
		keep current password
		keep the same password
		recover your
		review your account
		review your information
		check your account
		secure your account
		sign in to your
		log in to your
		login to your
		bestatigen sie
		verifizieren sie
		aktualisieren sie
		uberprufen sie
		jetzt bestatigen
		jetzt aktualisieren
		daten bestatigen
		bestatigung ihrer
		verifiez votre
		confirmez votre
		confirmer votre
		mettre a jour
		mettez a jour
		veuillez confirmer
		activer votre
		verifique su
		verificar su
		confirme su
		confirmar su
		actualice su
		actualizar su
		confirme seus
		atualize`},
	{"click", `
		click here
		click below
		click the link
		click the button
		click on the link
		click on the button
		click the below
		click on below
		follow the link
		use the link below
		link below
		button below
		by clicking
		log in here
		login here
		sign in here
		log in now
		login now
		get started
		visit the link
		klicken sie
		hier klicken
		uber den link
		folgenden link
		cliquez
		cliquer
		lien ci-dessous
		haga clic
		haz clic
		hacer clic
		pulse aqui
		siguiente enlace
		clique aqui
		clicca qui`},
	{"deadline", `
		within 24 hours
		within 48 hours
		within 12 hours
		within 72 hours
		within 24hours
		within 24hrs
		within 24 hrs
		in 24 hours
		in 48 hours
		next 24 hours
		24 to 48 hours
		24-48 hours
		24h
		48h
		immediate action
		immediately to avoid
		action required
		action needed
		attention required
		final notice
		final warning
		final reminder
		last warning
		last reminder
		last notice
		urgent notice
		urgent action
		urgent attention
		expires today
		expire today
		will expire
		expires in
		expire in
		before it expires
		failure to
		if you do not
		if you fail
		innerhalb von 24
		innerhalb von 48
		24 stunden
		48 stunden
		letzte mahnung
		letzte erinnerung
		umgehend
		dans les 24
		dans les 48
		24 heures
		48 heures
		dernier rappel
		action requise
		en las proximas
		24 horas
		48 horas
		ultimo aviso`},
	{"mailbox", `
		mailbox is full
		mailbox is almost full
		mailbox storage
		mailbox quota
		mailbox full
		mailbox has exceeded
		mailbox size
		mailbox account
		mailbox has been
		mailbox will be
		email storage
		e-mail storage
		storage limit
		storage quota
		storage is full
		storage is almost full
		exceeded its storage
		exceeded your storage
		exceeded its quota
		exceeded the storage
		out of storage
		quota exceeded
		quota limit
		quota full
		email quota
		incoming messages
		incoming mails
		incoming emails
		incoming mail
		pending messages
		pending emails
		pending mails
		pending incoming
		undelivered messages
		undelivered emails
		undelivered mails
		undelivered mail
		unreceived messages
		messages on hold
		messages are on hold
		quarantined messages
		blocked messages
		held messages
		clustered on your cloud
		release messages
		release pending
		retrieve your messages
		deliver messages
		message delivery failure
		mail delivery failed to sync
		email version
		webmail
		mail server
		mail administrator
		email administrator
		it helpdesk
		it help desk
		postfach ist voll
		postfach voll
		speicherplatz
		boite de reception est pleine
		boite mail
		messages en attente
		buzon esta lleno
		buzon de correo
		mensajes pendientes`},
	{"password", `
		password expire*
		password expiration
		password expiry
		password will expire
		password is expiring
		password is set to expire
		password is due
		password has expired
		password to expire
		password reset
		reset your password
		same password
		passwort lauft ab
		passwort ist abgelaufen
		passwort andern
		mot de passe expire*
		mot de passe va expirer
		contrasena caduca
		contrasena expira*
		contrasena vence`},
	{"keep", `
		keep same password
		keep my password
		keep your password
		keep current password
		keep your current password
		keep the same password
		keep using the same password
		continue with same password
		continue using same password
		retain your password
		retain same password
		passwort beibehalten
		conserver votre mot de passe
		conserver le meme mot de passe
		mantener la misma contrasena
		mantener su contrasena`},
	{"bill", `
		payment declined
		payment was declined
		payment has been declined
		payment failed
		payment has failed
		failed payment
		payment method
		payment information
		payment details
		billing information
		billing details
		billing problem
		billing address
		unable to process your payment
		unable to renew
		could not process your
		subscription has expired
		subscription expired
		subscription will expire
		subscription is about
		subscription has been
		membership has expired
		membership expired
		membership will expire
		has expired
		about to expire
		renew your
		renew now
		unpaid invoice
		overdue invoice
		outstanding invoice
		invoice attached
		attached invoice
		debit your
		refund of
		tax refund
		you are eligible
		zahlungsmethode
		zahlung fehlgeschlagen
		zahlungsdaten
		ruckerstattung
		mode de paiement
		moyen de paiement
		paiement refuse
		remboursement
		impot*
		metodo de pago
		pago rechazado
		reembolso`},
	{"parcel", `
		your package
		your parcel
		your shipment
		your delivery
		package could not be delivered
		could not be delivered
		delivery attempt
		delivery failed
		failed delivery
		delivery fee
		shipping fee
		customs fee
		redelivery
		reschedule
		undeliverable package
		pending package
		pending delivery
		package is waiting
		waiting for delivery
		ihr paket
		ihre sendung
		zollgebuhr*
		zustellung
		votre colis
		votre livraison
		frais de livraison
		frais de douane
		su paquete
		su envio
		gastos de envio
		aduana*`},
	{"wallet", `
		seed phrase
		recovery phrase
		secret phrase
		12 words
		wallet verification
		verify your wallet
		connect your wallet
		validate your wallet
		metamask
		trust wallet
		ledger live
		airdrop
		your crypto
		your bitcoin
		btc wallet
		wallet will be`},
	{"document", `
		shared a file with you
		shared a document
		shared document
		shared file
		has shared
		sent you a document
		sent you a file
		document has been shared
		view document
		view file
		open document
		review document
		review and sign
		secure document
		encrypted document
		new document
		new fax
		new voicemail
		voice message
		voice mail
		missed call
		received a fax
		document for your review
		pending document
		signature required
		docusign
		adobe sign
		purchase order
		remittance
		payment advice
		swift copy
		proof of payment`},
	// Business e-mail compromise.
	{"giftcard", `
		gift card*
		giftcard*
		itunes card*
		steam card*
		google play card*
		amazon card*
		ebay card*
		apple card*
		scratch the
		scratch off
		gutscheinkarte*
		geschenkkarte*
		carte cadeau
		cartes cadeaux
		tarjeta regalo
		tarjetas regalo
		tarjetas de regalo`},
	{"favour", `
		are you available
		are you in the office
		are you at your desk
		are you free
		quick task
		quick favor
		quick favour
		do me a favor
		do me a favour
		need a favor
		need a favour
		i need you to
		i need your help
		need your assistance
		let me know if you are
		let me have your
		send me your
		your cell number
		your mobile number
		your personal number
		your whatsapp
		text me
		i'm in a meeting
		i am in a meeting
		in a meeting right now
		can't talk
		cannot talk
		can't take calls
		reply to me
		get back to me
		handle this
		keep this confidential
		keep this between
		between us
		discreet
		discretion
		bist du verfugbar
		sind sie verfugbar
		im meeting
		vertraulich
		es-tu disponible
		etes-vous disponible
		en reunion
		confidentiel
		estas disponible
		esta disponible
		confidencial`},
	{"urgent", `
		urgent
		urgently
		asap
		right away
		right now
		immediately
		as soon as possible
		today
		dringend
		sofort
		des que possible
		urgente
		de inmediato`},
	{"bankchange", `
		change of bank
		changed our bank
		changed bank
		change my bank
		change my direct deposit
		update my direct deposit
		direct deposit information
		direct deposit details
		payroll information
		my payroll
		new bank account
		new bank details
		new banking details
		new banking information
		new account details
		our bank details have
		updated bank details
		updated banking
		bank account has changed
		account is under audit
		undergoing an audit
		wire transfer
		bank transfer
		make a payment
		process a payment
		outstanding payment
		neue bankverbindung
		bankverbindung hat sich
		geanderte bankverbindung
		uberweisung
		nouveau rib
		nouvelles coordonnees bancaires
		changement de coordonnees bancaires
		virement
		cambio de cuenta bancaria
		nueva cuenta bancaria
		transferencia bancaria`},
	// Extortion.
	{"bitcoin", `
		bitcoin*
		btc
		btc wallet
		bitcoin address
		bitcoin wallet
		usdt
		monero
		litecoin
		cryptocurrency`},
	{"spied", `
		your webcam
		your camera
		your front camera
		recorded you
		recorded a video
		video of you
		you were watching
		adult sites
		adult site
		adult websites
		porn site*
		porn website*
		pornographic
		masturbat*
		pleasuring yourself
		satisfying yourself
		your contacts
		all your contacts
		friends and family
		installed a trojan
		installed malware
		installed a malware
		infected with
		rat software
		remote access
		i hacked
		i have hacked
		was hacked
		hacked your
		hacked into
		hacker
		full access to
		access to your device*
		your device was
		your operating system
		your browsing
		your dirty
		your secret
		i know your password
		your password is
		ich habe sie
		gehackt
		ihre webcam
		ihrer kamera
		votre webcam
		pirate
		j'ai pirate
		su camara
		tu camara
		hackeado`},
	{"ransom", `
		i will send
		i will delete
		i will share
		i'll send
		i'll delete
		will be sent to
		send the video
		you have 48 hours
		you have 50 hours
		you have 24 hours
		you have 72 hours
		50 hours
		transfer the amount
		send exactly
		pay me
		do not try to
		don't try to
		no one will know
		silence
		last chance
		the payment
		sie haben 48 stunden
		vous avez 48 heures
		tienes 48 horas`},
	// Advance fee.
	{"fortune", `
		million dollars
		million united states dollars
		million us dollars
		million usd
		million euro*
		million pounds
		million british
		millions dollars
		million u.s
		million (
		us$
		usd$
		,000,000
		.000.000
		,500,000
		000,000.00
		500,000.00
		sum of
		the sum of
		total sum
		inheritance
		inherit
		next of kin
		beneficiary
		compensation
		compensation fund
		consignment
		trunk box*
		atm card
		bank draft
		certified cheque
		deceased
		late client
		late husband
		my late
		late father
		unclaimed
		dormant account
		abandoned
		fund transfer
		transfer of funds
		transfer the fund*
		transfer the money
		release of your
		your fund*
		your winning*
		winning notification
		you have won
		you won
		lottery
		lotto
		award
		grand prize
		prize money
		donation
		donate
		philanthrop*
		charity project
		god fearing
		orphanage*
		millionen euro
		millionen dollar
		erbschaft
		verstorben*
		spende
		millions d'euros
		heritage
		don de
		millones de dolares
		millones de euros
		herencia
		loteria
		beneficiario
		donacion`},
	{"stranger", `
		i am mr
		i am mrs
		i am dr
		i am barrister
		i am miss
		i'm mr
		i'm mrs
		my name is mr
		my name is mrs
		my name is dr
		my name is barrister
		barrister
		diplomat*
		dear friend
		dear beloved
		dear sir/madam
		dear sir
		dear beneficiary
		dear winner
		dear lucky
		beloved
		dearest one
		dearest
		good day
		compliments of the
		attention beneficiary
		attention please
		attn:
		attention:
		bank manager
		branch manager
		auditor
		auditing
		foreign remittance
		bank of africa
		central bank
		united nations
		world bank
		imf
		fbi
		international monetary
		federal reserve
		ministry of
		government of
		ex-president
		widow
		cancer
		dying
		my health
		hospital
		refugee camp
		attorney
		lawyer
		solicitor
		your country
		foreign partner
		foreign account
		business proposal
		business proposition
		business partner
		mutual benefit
		mutual business
		investment project
		investment opportunity
		urgent business
		confidential
		strictly confidential
		utmost
		trustworthy
		god bless
		may god
		in god
		bless you
		remain blessed
		contact me
		contact him
		contact her
		reply me
		reply to this
		get back to me
		your response
		your urgent response
		your full name*
		your phone number
		your telephone
		your address
		your age
		your occupation
		your nationality
		your bank
		full names
		contact details
		private email
		my private
		for more details
		for further details
		percent of
		40%
		30% of
		ich bin herr
		ich bin frau
		je suis mr
		je suis madame
		je m'appelle
		cher ami
		soy el sr
		mi nombre es
		querido amigo
		estimado amigo`},
	{"nigeria", `
		nigeria
		nigerian
		lagos
		benin
		burkina faso
		ouagadougou
		ivory coast
		cote d'ivoire
		abidjan
		ghana
		accra
		togo
		lome
		sierra leone
		liberia
		senegal
		dakar
		zimbabwe
		congo
		south africa
		johannesburg
		kinshasa
		angola
		iraq
		afghanistan
		syria
		libya
		gaddafi
		abacha
		mobutu
		savimbi`},
	// What classic spam sells.
	{"pharma", `
		viagra
		cialis
		levitra
		xanax
		valium
		phentermine
		tramadol
		pharmacy
		prescription drugs
		online pharmacy
		generic drugs
		no prescription
		without prescription
		without a prescription
		erectile
		erection*
		enlarge your
		enlargement
		penis
		sexual stimulant
		sexual performance
		libido
		male enhancement
		bigger breasts
		breast enlargement
		cbd oil
		cbd gumm*
		keto gumm*
		testosterone
		blood sugar
		potenzmittel
		penisverlangerung
		pharmacie en ligne
		farmacia online
		sin receta`},
	{"diet", `
		weight loss
		lose weight
		losing weight
		lose up to
		lose pounds
		burn fat
		fat burn*
		belly fat
		diet pill*
		human growth hormone
		growth hormone
		hgh
		anti-aging
		look younger
		years younger
		hair loss
		keto diet
		doctors hate
		one weird trick
		abnehmen
		perdre du poids
		maigrir
		perder peso
		adelgazar`},
	{"adult", `
		xxx
		porn
		hardcore
		nude
		naked
		teen girls
		hot girls
		horny
		live sex
		free sex
		sexy singles
		adult entertainment
		adult content
		must be 18
		over 18
		18 or older
		18 years or older
		webcam girls
		girls next door
		lonely wives
		lonely housewives
		singles in your area
		russian women
		russian brides
		asian brides
		meet singles
		hookup
		hook up
		wanna meet
		nudes
		erotic
		sexkontakt*
		rencontre coquine
		chicas`},
	{"gamble", `
		casino
		online casino
		free spins
		welcome bonus
		jackpot
		free chips
		slot machine*
		roulette
		blackjack
		poker bonus
		betting
		sports bet*
		place your bets
		gratis-spins
		freispiele
		tours gratuits
		tiradas gratis`},
	{"loan", `
		mortgage rate*
		mortgage quote*
		mortgage lender*
		mortgage loan*
		lowest rate*
		low rates
		interest rates are
		refinance
		refinancing
		home loan*
		home equity
		debt consolidation
		consolidate your
		credit card debt
		reduce your debt
		get out of debt
		debt free
		bad credit
		no credit check
		credit repair
		clear your credit
		unsecured loan*
		personal loan*
		business loan*
		loan offer
		quick loan
		instant loan
		loan amount
		pre-approved
		preapproved
		you have been approved
		cash advance
		life insurance
		term life
		insurance quote*
		auto insurance
		car warranty
		auto warranty
		extended warranty
		kreditangebot
		sofortkredit
		offre de pret
		pret entre particuliers
		oferta de prestamo
		prestamo`},
	{"riches", `
		work from home
		work at home
		home based business
		home-based business
		home based
		be your own boss
		financial freedom
		financially free
		financial independence
		extra income
		additional income
		residual income
		passive income
		multi-level
		multi level
		mlm
		network marketing
		downline
		money making
		make money
		make money fast
		earn money
		earn up to
		earn $
		making money
		easy money
		get paid
		get rich
		a week from home
		in your spare time
		no selling
		unlimited income
		income potential
		earning potential
		business opportunity
		once in a lifetime
		opportunity of a lifetime
		chain letter
		pyramid
		five reports
		the program works
		cash machine
		quit your job
		fire your boss
		trading signals
		forex
		crypto trading
		bitcoin trading
		guaranteed profit*
		guaranteed return*
		return on investment
		daily profit*
		daily returns
		geld verdienen
		nebenverdienst
		heimarbeit
		gagner de l'argent
		travail a domicile
		ganar dinero
		trabajo desde casa`},
	{"mailer", `
		million email*
		million e-mail*
		email addresses for
		bulk email
		bulk e-mail
		bulk friendly
		mass email*
		email marketing
		e-mail marketing
		targeted email*
		email list*
		mailing lists for
		opt-in list*
		email leads
		b2b leads
		contact list of
		attendees list
		attendee list
		database of
		search engine ranking*
		search engine placement
		search engine optimi*
		seo services
		seo expert
		seo company
		seo packages
		first page of google
		page 1 of google
		page one of google
		rank your website
		ranking on google
		website traffic
		increase your traffic
		increase traffic
		more visitors
		backlinks
		guest post
		web design services
		website design
		redesign your website
		mobile app development
		spam your`},
	{"goods", `
		toner cartridge*
		inkjet cartridge*
		printer cartridge*
		cable descrambler
		descrambler*
		satellite tv
		free satellite
		dvd copy
		copy dvd*
		copy any dvd
		university diploma*
		college diploma
		bachelor*s degree
		degrees from
		diplomas from
		no classes
		non-accredited
		replica watch*
		rolex
		replica
		designer bags
		louis vuitton
		cheap software
		oem software
		norton systemworks
		systemworks
		spy software
		background check
		find out anything
		long distance
		cents per minute
		cents a minute
		calling card*
		cell phone booster
		free cell phone
		vacation package*
		free vacation
		cruise for
		timeshare
		time share
		free grant*
		government grant*
		grant money
		penny stock*
		stock alert
		hot stock
		stock pick*
		investor alert
		otc bb
		otcbb
		undervalued
		strong buy
		trading symbol
		forward looking statements
		forward-looking statements
		within the meaning of section
		gutters
		gutter guard
		leaf filter
		walk-in tub*
		roof replacement
		window replacement
		solar panel*
		hearing aid*
		neuropathy
		tinnitus
		medicare plan*
		reverse mortgage
		timepieces
		luxury watches`},
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
	// Callback scams.
	{"call", `
		call us
		call our
		call on
		call at
		call the number
		call this number
		contact our support
		contact us at
		contact us on
		contact our
		helpline
		help line
		helpdesk number
		toll free
		toll-free
		customer care
		customer support
		support team
		billing department
		billing team
		to cancel
		cancel your
		cancel this
		cancel the
		cancellation
		dispute
		if you did not
		if you didn't
		didn't authorize
		did not authorize
		not authorized by you
		within 24 hours`},
	{"purchase", `
		thank you for your purchase
		thanks for your purchase
		thank you for your order
		thank you for choosing
		thank you for subscribing
		your order has been
		has been renewed
		has been successfully renewed
		will be renewed
		auto renewal
		auto-renewal
		auto renewed
		auto-renew
		has been charged
		will be charged
		been debited
		will be debited
		auto-debited
		auto debited
		amount charged
		order confirmation
		invoice no
		invoice number
		invoice id
		order id
		order number
		renewal
		subscription plan
		antivirus
		total protection
		norton
		mcafee
		geek squad
		paypal
		defender`},
}

package content

var fraudTopics = []topic{
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

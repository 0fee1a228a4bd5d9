package content

var phishTopics = []topic{
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
}

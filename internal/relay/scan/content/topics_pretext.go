package content

var pretextTopics = []topic{
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
}

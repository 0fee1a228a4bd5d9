package content

var spamTopics = []topic{
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
}

package sender

import "strings"

// freemail are organizations that give a mailbox to anybody who asks.
var freemail = func() map[string]bool {
	m := make(map[string]bool)
	for _, d := range strings.Fields(`
		gmail.com googlemail.com outlook.com hotmail.com live.com msn.com hotmail.co.uk hotmail.fr hotmail.de hotmail.es hotmail.it outlook.fr outlook.de outlook.es live.fr live.co.uk
		yahoo.com yahoo.co.uk yahoo.fr yahoo.de yahoo.es yahoo.it yahoo.co.jp yahoo.com.br yahoo.co.in ymail.com rocketmail.com myyahoo.com aol.com aim.com
		icloud.com me.com mac.com gmx.com gmx.de gmx.net gmx.at gmx.ch gmx.fr gmx.us web.de t-online.de freenet.de mail.com email.com usa.com post.com consultant.com europe.com
		mail.ru inbox.ru list.ru bk.ru yandex.ru yandex.com ya.ru rambler.ru proton.me protonmail.com protonmail.ch pm.me tutanota.com tutanota.de tuta.io tuta.com
		zoho.com zohomail.com zohomail.eu fastmail.com fastmail.fm hushmail.com mailfence.com disroot.org cock.li
		qq.com 163.com 126.com sina.com sina.cn sohu.com yeah.net foxmail.com 139.com naver.com daum.net hanmail.net
		orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr libero.it virgilio.it alice.it tiscali.it tin.it terra.es telefonica.net
		uol.com.br bol.com.br terra.com.br ig.com.br o2.pl wp.pl onet.pl interia.pl seznam.cz centrum.cz abv.bg mail.bg ukr.net i.ua
		comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net earthlink.net juno.com netzero.net excite.com lycos.com netscape.net btinternet.com
		rediffmail.com mail2world.com inbox.com gawab.com maktoob.com inbox.lv mail.ee vivaldi.net duck.com skiff.com onmail.com mailo.com posteo.de mailbox.org`) {
		m[d] = true
	}
	return m
}()

// kin knows providers whose servers have other names than their addresses: the
// first label of the address's domain, then what the server's name holds.
func kin(name, helo string) bool {
	for _, k := range [][2]string{
		{"gmail", "google"}, {"googlemail", "google"}, {"hotmail", "outlook"}, {"hotmail", "microsoft"}, {"live", "outlook"}, {"live", "hotmail"}, {"msn", "outlook"}, {"msn", "hotmail"}, {"outlook", "hotmail"}, {"outlook", "microsoft"},
		{"icloud", "apple"}, {"icloud", "me.com"}, {"me", "apple"}, {"mac", "apple"}, {"me", "icloud"}, {"mac", "icloud"}, {"ymail", "yahoo"}, {"rocketmail", "yahoo"}, {"aol", "yahoo"}, {"aim", "aol"}, {"verizon", "yahoo"}, {"verizon", "aol"},
		{"sbcglobal", "yahoo"}, {"att", "yahoo"}, {"bellsouth", "yahoo"}, {"proton", "protonmail"}, {"pm", "protonmail"}, {"foxmail", "qq.com"}, {"126", "163"}, {"yeah", "163"}, {"netscape", "aol"}, {"mail", "gmx"}, {"gmx", "kundenserver"}, {"web", "kundenserver"},
		{"ya", "yandex"}, {"bk", "mail.ru"}, {"list", "mail.ru"}, {"inbox", "mail.ru"}, {"wanadoo", "orange"}, {"zohomail", "zoho"}, {"hanmail", "daum"}, {"btinternet", "bt.com"}, {"fastmail", "messagingengine"}, {"tuta", "tutanota"}, {"tutanota", "tuta"},
	} {
		if name == k[0] && strings.Contains(helo, k[1]) {
			return true
		}
	}
	return false
}

// Freemail reports whether anybody can get a mailbox in domain.
func Freemail(domain string) bool { return freemail[domain] }

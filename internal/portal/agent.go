package portal

import (
	"strings"

	"postern/internal/mail"
)

// Marks of browsers and of the systems they run on. The first that fits counts:
// nearly every browser also claims to be Chrome and Safari.
var (
	browsers = [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"HeadlessChrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Version/", "Safari"}}
	systems  = [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}}
)

// browser names the browser behind a User-Agent field, with its version: "Firefox
// 143, Windows". One that it does not know is told as it told itself.
func browser(agent string) string {
	for _, b := range browsers {
		_, version, found := strings.Cut(agent, b[0])
		if !found {
			continue
		}
		version, _, _ = strings.Cut(version, ".")
		if len(version) > 4 || strings.Trim(version, "0123456789") != "" {
			break
		}
		name := b[1] + " " + version
		for _, s := range systems {
			if strings.Contains(agent, s[0]) {
				return name + ", " + s[1]
			}
		}
		return name
	}
	return mail.Visible(agent)
}

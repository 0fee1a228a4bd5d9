package attachment

import "postern/internal/mail"

// danger is what a file type can do.
type danger struct {
	name   string // last part of the rule's name
	what   string // with its article
	class  mail.Verdict
	score  int
	script bool // also part of honest source code
}

var (
	aProgram   = danger{"program", "a program", mail.Malware, 70, false}
	aScript    = danger{"script", "a script", mail.Malware, 70, true}
	aShortcut  = danger{"shortcut", "a shortcut", mail.Malware, 70, false}
	anInstall  = danger{"installer", "an installer", mail.Malware, 60, false}
	aDisk      = danger{"disk", "a disk image", mail.Suspicious, 60, false}
	aHelp      = danger{"help", "a compiled help file", mail.Malware, 60, false}
	aJava      = danger{"java", "a Java program", mail.Malware, 60, false}
	aNote      = danger{"onenote", "a OneNote section", mail.Suspicious, 60, false}
	anAddIn    = danger{"addin", "an add-in for Office", mail.Malware, 70, false}
	aSetting   = danger{"setting", "a settings file", mail.Suspicious, 60, false}
	aTheme     = danger{"theme", "a file that makes Windows connect to a server", mail.Suspicious, 50, false}
	anApp      = danger{"app", "an application package", mail.Malware, 60, false}
	aDatabase  = danger{"database", "an Access database, which can run code", mail.Suspicious, 50, false}
	anEmbedded = danger{"webarchive", "a web archive, which can run code", mail.Suspicious, 50, false}
)

// dangerous are extensions that Windows, macOS or Android act on when a file is
// opened. Outlook blocks most of them (Microsoft: "Blocked attachments in
// Outlook").
var dangerous = map[string]danger{
	"exe": aProgram, "scr": aProgram, "com": aProgram, "pif": aProgram, "cpl": aProgram, "dll": aProgram, "sys": aProgram, "ocx": aProgram, "drv": aProgram,
	"js": aScript, "jse": aScript, "vbs": aScript, "vbe": aScript, "vb": aScript, "wsf": aScript, "wsh": aScript, "wsc": aScript, "sct": aScript, "hta": aScript,
	"ps1": aScript, "ps1xml": aScript, "psm1": aScript, "psd1": aScript, "ps2": aScript, "bat": aScript, "cmd": aScript, "btm": aScript, "mjs": aScript, "applescript": aScript, "scpt": aScript, "ws": aScript,
	"lnk": aShortcut, "url": aShortcut, "website": aShortcut, "webloc": aShortcut, "desktop": aShortcut, "scf": aShortcut, "library-ms": aShortcut, "search-ms": aShortcut, "appref-ms": aShortcut, "settingcontent-ms": aShortcut, "rdp": aShortcut,
	"msi": anInstall, "msp": anInstall, "mst": anInstall, "msix": anInstall, "appx": anInstall, "appxbundle": anInstall, "msixbundle": anInstall, "application": anInstall, "appinstaller": anInstall, "pkg": anInstall, "gadget": anInstall, "msu": anInstall,
	"iso": aDisk, "img": aDisk, "vhd": aDisk, "vhdx": aDisk, "udf": aDisk, "dmg": aDisk, "vmdk": aDisk, "wim": aDisk,
	"chm": aHelp, "hlp": aHelp,
	"jar": aJava, "jnlp": aJava, "class": aJava,
	"one": aNote, "onepkg": aNote,
	"xll": anAddIn, "ppam": anAddIn, "xlam": anAddIn, "ppa": anAddIn, "xla": anAddIn, "wll": anAddIn,
	"reg": aSetting, "inf": aSetting, "diagcab": aSetting, "mobileconfig": aSetting, "msc": aSetting, "job": aSetting, "grp": aSetting,
	"theme": aTheme, "themepack": aTheme, "slk": aTheme, "iqy": aTheme, "oqy": aTheme, "rqy": aTheme,
	"apk": anApp, "ipa": anApp, "xapk": anApp, "aab": anApp, "deb": anApp, "rpm": anApp,
	"mdb": aDatabase, "accdb": aDatabase, "accde": aDatabase, "mde": aDatabase, "ade": aDatabase, "adp": aDatabase,
	"mht": anEmbedded, "mhtml": anEmbedded, "xps": anEmbedded,
}

// strangeArchives are extensions of archives that parse does not unpack.
var strangeArchives = []string{"cab", "ace", "arj", "lzh", "lha", "alz", "egg", "zpaq", "uue", "arc", "z", "lz", "lzma", "zoo", "sit", "sitx"}

// documents are extensions that people expect to be harmless.
var documents = map[string]bool{
	"pdf": true, "doc": true, "docx": true, "xls": true, "xlsx": true, "ppt": true, "pptx": true, "rtf": true, "txt": true, "csv": true, "odt": true, "ods": true,
	"jpg": true, "jpeg": true, "png": true, "gif": true, "bmp": true, "tif": true, "tiff": true, "mp3": true, "mp4": true, "wav": true, "avi": true, "html": true, "htm": true, "zip": true, "rar": true, "xml": true,
}

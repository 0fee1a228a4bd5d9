// Package tnef reads what Outlook hides in winmail.dat: the body and the attachments
// of a message as MAPI properties (MS-OXTNEF), the compressed RTF body (MS-OXRTFCP)
// and the HTML inside it (MS-OXRTFEX). It never fails: what is cut or wrong ends the
// reading there and says so.
package tnef

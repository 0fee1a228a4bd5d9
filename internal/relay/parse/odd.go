package parse

// oddity collects what about a message's form could be read in more than one way.
type oddity uint32

const (
	oddDuplicate oddity = 1 << iota // a Content field stands twice with different values
	oddSyntax                       // a Content field is not as RFC 2045 §5.1 has it
	oddEncoding                     // the transfer encoding is none of RFC 2045 §6.1, or stands on a composite
	oddHeader                       // a header line is no field
	oddFold                         // a folded line of nothing but blanks
	oddBoundary                     // a multipart without boundary or a boundary that never comes
	oddPrefix                       // a line that begins with a boundary and goes on
	oddUnclosed                     // the closing boundary is missing
	oddLineEnd                      // CR alone, where lines could end
	oddMixedEnd                     // both CRLF and LF alone end lines
	oddNUL                          // NUL in the header or text
	oddGap                          // something like a part stands outside all parts
	oddDecode                       // encoded data is irregular
)

var oddRules = []struct {
	odd    oddity
	rule   string
	score  int
	detail string
}{
	{oddDuplicate, "mime.duplicate_field", 10, "A field that tells the kind or encoding of content stands twice with different values."},
	{oddSyntax, "mime.field_syntax", 2, "A field that tells the kind of content is not written as the standard says."},
	{oddEncoding, "mime.encoding", 5, "A transfer encoding is unknown, or stands where none may stand."},
	{oddHeader, "mime.header_syntax", 3, "A header has lines that are no fields."},
	{oddFold, "mime.header_fold", 1, "A header has folded lines of nothing but blanks, at which some readers end it."},
	{oddBoundary, "mime.boundary", 10, "A multipart names no boundary, or one that does not occur."},
	{oddPrefix, "mime.boundary_prefix", 2, "A line begins like a boundary and goes on."},
	{oddUnclosed, "mime.unclosed", 2, "The last boundary of a multipart is missing."},
	{oddGap, "mime.outside", 10, "Something like a part stands before the first or after the last boundary."},
	{oddDecode, "mime.decode", 2, "Encoded data holds characters that do not belong there."},
}

func (p *parser) reportOdd(odd oddity) {
	for _, o := range oddRules {
		if odd&o.odd != 0 {
			p.report(o.rule, o.score, "", o.detail)
		}
	}
}

// serious are the oddities that make readers disagree about which parts there are.
const serious = oddDuplicate | oddSyntax | oddEncoding | oddHeader | oddFold | oddBoundary | oddPrefix | oddUnclosed | oddLineEnd | oddMixedEnd | oddNUL | oddGap | oddDecode

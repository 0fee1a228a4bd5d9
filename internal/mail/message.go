package mail

// A Reading is one way to understand a malformed message. Where the readings
// agree, a mail client sees what we saw; where they differ, it may not.
type Reading string

const (
	Strict  Reading = "strict"  // as the standards say (RFC 5322, RFC 2045 to 2049)
	Lenient Reading = "lenient" // as the most forgiving mail clients do
	Carved  Reading = "carved"  // encoded data found by its looks, outside both readings
)

// Message is what parse understood of the octets. It is bounded whatever the
// octets were: what did not fit is named in Anomalies.
type Message struct {
	Header    Header
	Subject   string    // decoded; white space folded to one blank
	From      []Mailbox // of every From field; more or fewer than one is an anomaly
	ReplyTo   []Mailbox
	To        []Mailbox // To and Cc
	Parts     []Part    // depth first; both readings, without repeating what is equal in both
	Text      string    // what a reader sees, of all text parts, HTML turned to text; UTF-8
	Links     []Link
	Anomalies []Finding // ambiguity and limits, ready for policy
	Bulk      bool      // carries List-Id, List-Unsubscribe or Precedence: bulk/list
	AutoReply bool      // Auto-Submitted other than "no", or the null envelope sender (RFC 3834)
}

// Mailbox is a display name and an addr-spec as the header shows them.
type Mailbox struct {
	Name string // decoded
	Addr string // local@domain as written; "" if there is none
}

// Part is one leaf of the MIME tree, or one member unpacked from an archive, a
// TNEF body or an attached message.
type Part struct {
	Path        string // "1.2", and inside a container "1.2/invoice.zip/invoice.exe"
	Reading     Reading
	Type        string   // declared media type, lower case, "text/plain" by default
	Sniffed     string   // media type by content, "" if unknown
	Charset     string   // declared, lower case
	Name        string   // file name shown to a reader, decoded
	Names       []string // other file names some client could show
	Disposition string   // "attachment", "inline" or ""
	ContentID   string   // without <>
	Encrypted   bool     // needs a password we do not have
	Container   string   // "zip", "7z", "rar", "tar", "gzip", "xz", "zstd", "bzip2", "iso", "tnef", "message", "smime", "ole", "ooxml" or "";
	// others, as "cab" or "vhdx", are recognised but not opened
	Size      int64    // octets decoded, even where Data is cut
	SHA256    [32]byte // of the decoded octets
	Data      []byte   // decoded; at most parse's budget
	Truncated bool     // Data is not all of it
}

// Link is an address that a reader could follow.
type Link struct {
	URL  string // as written, entities decoded
	Text string // what the reader sees in its place; "" for bare text
	Kind string // "href", "form", "img", "refresh", "text", "qr"
	Path string // of the Part it stands in
}

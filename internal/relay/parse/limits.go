package parse

import "time"

// Limits bound what Parse does and keeps. A zero field stands for its default.
type Limits struct {
	Deadline   time.Time // after it nothing new is begun
	Header     int       // octets of one header that are read
	Fields     int       // fields of one header that are read
	Depth      int       // multiparts and messages inside each other
	Parts      int       // leaves of the MIME tree and other readings of it
	Part       int64     // octets of Data of one part
	Kept       int64     // octets of Data of all decoded parts together
	Containers int       // archives inside archives
	Members    int       // of all archives together
	Unpacked   int64     // octets that all archives may unpack to, kept or not
	Ratio      int64     // unpacked octets for each packed one ...
	RatioFrom  int64     // ... beyond this many unpacked octets
	Text       int       // octets of Message.Text
	Links      int
}

const (
	defaultTime       = 8 * time.Second // bombs must end within 10 s (safety P10), scanners come after
	defaultHeader     = 1 << 20         // four times what Exchange Online lets through (256 KiB)
	defaultFields     = 1000            // real mail has below 150; more is an attack on somebody's parser
	defaultDepth      = 100             // Exchange Online's own limit is 30 levels of attached messages
	defaultParts      = 2000            // Exchange Online's own limit is 250 attachments
	defaultPart       = 16 << 20        // documents with active content are far smaller
	defaultKept       = 64 << 20        // with the octets themselves and what scanners add below 256 MiB (safety R15)
	defaultContainers = 8               // people nest two or three; five more for attackers to be found out
	defaultMembers    = 2000            // large source archives are no mail
	defaultUnpacked   = 256 << 20       // one second of inflating
	defaultRatio      = 200             // text compresses to a tenth, sparse office files to a hundredth
	defaultRatioFrom  = 10 << 20        // small members may be all zeros
	defaultText       = 1 << 20         // longer than any book chapter; classifiers read less
	defaultLinks      = 2000            // the longest real newsletter has some hundreds
)

func (l Limits) orDefaults() Limits {
	if l.Deadline.IsZero() {
		l.Deadline = time.Now().Add(defaultTime)
	}
	for _, f := range []struct {
		v   *int
		def int
	}{
		{&l.Header, defaultHeader}, {&l.Fields, defaultFields}, {&l.Depth, defaultDepth}, {&l.Parts, defaultParts},
		{&l.Containers, defaultContainers}, {&l.Members, defaultMembers}, {&l.Text, defaultText}, {&l.Links, defaultLinks},
	} {
		if *f.v <= 0 {
			*f.v = f.def
		}
	}
	for _, f := range []struct {
		v   *int64
		def int64
	}{
		{&l.Part, defaultPart}, {&l.Kept, defaultKept}, {&l.Unpacked, defaultUnpacked}, {&l.Ratio, defaultRatio}, {&l.RatioFrom, defaultRatioFrom},
	} {
		if *f.v <= 0 {
			*f.v = f.def
		}
	}
	return l
}

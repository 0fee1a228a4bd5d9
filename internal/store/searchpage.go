package store

import (
	"encoding/binary"
	"errors"
	"maps"
	"math/bits"
	"slices"
	"sort"

	"github.com/oklog/ulid/v2"

	"postern/internal/mail"
)

// A block's pages. The first hold its messages in their order, 24 octets each:
// time of receipt and id. The others hold its grams in their order, each with the
// set of messages that have it:
//
//	gram 4 octets | length of the set, a varint | set
//
// A set is one octet and what it says: the differences of the messages' numbers as
// varints, or a bitmap. The directory has the first gram of each page of grams,
// 4 octets each, so that one gram is one page to read.
const (
	pageOctets   = 4000 // of one page; two fit a page of SQLite
	entryOctets  = 24
	pageEntries  = pageOctets / entryOctets
	setDeltas    = 0
	setBitmap    = 1
	longestGrams = 4 + binary.MaxVarintLen64
)

var errPage = errors.New("a page of the search index is not as it was written: postern index rebuild makes it anew")

// entry is one message of a block.
type entry struct {
	at int64 // received, Unix ms
	id mail.ID
}

// pages gathers a block and writes it as pages.
type pages struct {
	entries []entry
	sets    map[gram]*growing
}

// growing is a set that messages are added to in their order.
type growing struct {
	last   int
	deltas []byte
}

func newPages() *pages { return &pages{sets: map[gram]*growing{}} }

// add puts g into the set of the last message.
func (p *pages) add(g gram) {
	n := len(p.entries) - 1
	s := p.sets[g]
	if s == nil {
		s = &growing{last: -1}
		p.sets[g] = s
	}
	if s.last == n {
		return
	}
	s.deltas = binary.AppendUvarint(s.deltas, uint64(n-s.last))
	s.last = n
}

// encode returns the pages and the directory.
func (p *pages) encode() (list [][]byte, directory []byte, err error) {
	for part := range slices.Chunk(p.entries, pageEntries) {
		page := make([]byte, 0, pageOctets)
		for _, e := range part {
			id, err := ulid.ParseStrict(string(e.id))
			if err != nil {
				return nil, nil, err
			}
			page = append(binary.BigEndian.AppendUint64(page, uint64(e.at)), id[:]...)
		}
		list = append(list, page)
	}
	var page []byte
	for _, g := range slices.Sorted(maps.Keys(p.sets)) {
		set := p.sets[g].encode(len(p.entries))
		if len(page) > 0 && len(page)+longestGrams+len(set) > pageOctets {
			list, page = append(list, page), nil
		}
		if len(page) == 0 {
			directory = binary.BigEndian.AppendUint32(directory, uint32(g))
		}
		page = binary.BigEndian.AppendUint32(page, uint32(g))
		page = append(binary.AppendUvarint(page, uint64(len(set))), set...)
	}
	if len(page) > 0 {
		list = append(list, page)
	}
	return list, directory, nil
}

func (s *growing) encode(messages int) []byte {
	if size := (messages + 7) / 8; size < len(s.deltas) {
		b := newBitmap(messages)
		b.read(append([]byte{setDeltas}, s.deltas...))
		out := []byte{setBitmap}
		for _, word := range b {
			out = binary.LittleEndian.AppendUint64(out, word)
		}
		return out[:1+size]
	}
	return append([]byte{setDeltas}, s.deltas...)
}

// bitmap is a set of a block's messages by their numbers.
type bitmap []uint64

func newBitmap(messages int) bitmap { return make(bitmap, (messages+63)/64) }

// all puts every message in.
func (b bitmap) all(messages int) {
	for i := range messages {
		b[i/64] |= 1 << (i % 64)
	}
}

// read adds the messages of a stored set. Numbers that are too large are passed over.
func (b bitmap) read(set []byte) {
	if len(set) == 0 {
		return
	}
	body := set[1:]
	if set[0] == setBitmap {
		for i, octet := range body {
			if i/8 < len(b) {
				b[i/8] |= uint64(octet) << (i % 8 * 8)
			}
		}
		return
	}
	n := -1
	for len(body) > 0 {
		d, size := binary.Uvarint(body)
		if size <= 0 || d > uint64(len(b)*64) {
			return
		}
		body = body[size:]
		if n += int(d); n >= 0 && n < len(b)*64 {
			b[n/64] |= 1 << (n % 64)
		}
	}
}

func (b bitmap) and(c bitmap) {
	for i := range b {
		b[i] &= c[i]
	}
}

func (b bitmap) or(c bitmap) {
	for i := range b {
		b[i] |= c[i]
	}
}

func (b bitmap) empty() bool {
	return !slices.ContainsFunc(b, func(w uint64) bool { return w != 0 })
}

// numbers are the members, in ascending order.
func (b bitmap) numbers() []int {
	var out []int
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			out = append(out, i*64+bits.TrailingZeros64(w))
		}
	}
	return out
}

// pageOf is the number, among the pages of grams, of the one that would have g; of
// the first if g comes before all.
func pageOf(directory []byte, g gram) int {
	n := len(directory) / 4
	return max(0, sort.Search(n, func(i int) bool { return gram(binary.BigEndian.Uint32(directory[i*4:])) > g })-1)
}

// readSets adds to b what the sets of a span in a page of grams have.
func (b bitmap) readSets(page []byte, in span) error {
	for len(page) > 0 {
		if len(page) < 5 {
			return errPage
		}
		at := gram(binary.BigEndian.Uint32(page))
		length, size := binary.Uvarint(page[4:])
		if size <= 0 || length > uint64(len(page)-4-size) {
			return errPage
		}
		if at > in.high {
			return nil
		}
		end := 4 + size + int(length)
		if at >= in.low {
			b.read(page[4+size : end])
		}
		page = page[end:]
	}
	return nil
}

// readEntry is message i of a page of messages.
func readEntry(page []byte, i int) (e entry, err error) {
	if (i+1)*entryOctets > len(page) {
		return e, errPage
	}
	b := page[i*entryOctets:]
	var id ulid.ULID
	copy(id[:], b[8:entryOctets])
	return entry{int64(binary.BigEndian.Uint64(b)), mail.ID(id.String())}, nil
}

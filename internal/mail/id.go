package mail

import "github.com/oklog/ulid/v2"

// An ID names one accepted message for ever: a ULID (26 characters, sortable by
// time). It is random enough not to be guessed and never derived from the mail.
type ID string

// NewID returns a fresh ID. It is safe for concurrent use.
func NewID() ID { return ID(ulid.Make().String()) }

// Valid reports whether id has the form of a ULID, so that it may be used in a
// path or a query.
func (id ID) Valid() bool {
	_, err := ulid.ParseStrict(string(id))
	return err == nil
}

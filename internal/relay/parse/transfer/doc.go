// Package transfer undoes the encodings in which content travels through mail:
// base64 and quoted-printable (RFC 2045 §6), uuencode, yEnc and BinHex. Each has
// one reading by its standard and, where the octets break the standard, the other
// readings that mail clients are known to make of them. Every function is linear
// in its input, allocates no more than a small multiple of it and cannot fail: what
// is no encoding decodes to little or nothing.
package transfer

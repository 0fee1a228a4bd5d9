// Package backup copies everything Postern keeps into one file while the relay
// runs, reads such a file back, and proves that what is kept is whole.
//
// A backup is a zstd-compressed tar archive:
//
//	postern-backup.json   what it is: format, version, time, host
//	postern.yaml          the configuration, for people
//	root.key              unless it was left out
//	acme/...              certificates and the account they were issued to
//	postern.db            the database at one moment (SQLite only)
//	spool/ID              sealed octets of large messages, one file each
//	SHA256SUMS            of every file before it, as sha256sum writes them
//
// The checksums come last, so an archive without them was cut off. The database is
// copied before the spool: an object that vanishes in between belonged to a message
// that ended, and a restore treats it so.
//
// What may not enter: decisions about mail. What becomes of copies that were on
// their way is in store.AfterRestore.
package backup

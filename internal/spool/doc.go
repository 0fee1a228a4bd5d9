// Package spool keeps the octets of messages too large to ride in the ledger's
// commit: written once, synced, never changed. An object's name is the message id;
// nothing of a mail ever becomes part of a path. It lives in a folder or in an
// S3-compatible bucket, and one contract test runs against both.
//
// What is handed over is sealed already. The spool does not know which objects are
// still needed: the ledger does, and a sweeper compares the two.
package spool
